"""moto as the sandbox's cloud: in process, or as an HTTP server on the loopback interface with several accounts."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import boto3
import botocore.session
from moto import mock_aws
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

ACCOUNT_HOST = re.compile(r"^[0-9]{12}\.(127\.0\.0\.1)$")
MANAGEMENT_ROLE = "OrganizationAccountAccessRole"
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "sandbox",
    "AWS_SECRET_ACCESS_KEY": "sandbox",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # takes longer than all else, in each account and Region
}
_MODELS = botocore.session.get_session().get_component("data_loader")  # read once, not once for each account
_FORGOTTEN = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL")


def core_session() -> botocore.session.Session:
    """A new session of botocore that does not read the service models again."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _MODELS)
    return core


class AccountClients:
    """Clients of one account, kept by service and Region (rdklib's ClientFactory interface)."""

    def __init__(self, server: MotoServer, account_id: str, region: str) -> None:
        self._server, self._account_id, self._region = server, account_id, region
        self._clients: dict[tuple[str, str], Any] = {}

    def build_client(self, service: str, region: str | None = None) -> Any:
        key = service, region or self._region
        if key not in self._clients:
            self._clients[key] = self._server.session(self._account_id, key[1]).client(service)
        return self._clients[key]


class MotoServer:
    """A context manager: inside it every boto3 call of this process reaches moto and nothing else."""

    def __init__(self, mode: Literal["in-process", "http"] = "http", port: int = 0) -> None:
        self._mode, self._port = mode, port
        self._stack = ExitStack()
        self._keys: dict[tuple[str, str], dict[str, str]] = {}
        self._clients: dict[tuple[str, str], AccountClients] = {}
        self.endpoint = ""

    def __enter__(self) -> MotoServer:
        self._stack.enter_context(_environment())
        if self._mode == "in-process":
            self._stack.enter_context(mock_aws())
        else:
            logging.getLogger("werkzeug").setLevel(logging.ERROR)
            server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
            server.start()
            self._stack.callback(server.stop)
            host, port = server.get_host_and_port()
            self.endpoint = f"http://{host}:{port}"
            os.environ["AWS_ENDPOINT_URL"] = self.endpoint
            self._stack.enter_context(_account_hosts())
        moto_api_backend.reset()
        self._stack.callback(moto_api_backend.reset)
        return self

    def __exit__(self, *details: object) -> None:
        boto3.DEFAULT_SESSION = None
        self._stack.close()

    def credentials(self, account_id: str, role_name: str = MANAGEMENT_ROLE) -> dict[str, str]:
        """Keys of a role in an account, assumed once: access_key, secret_key, token."""
        if (account_id, role_name) not in self._keys:
            keys = boto3.client("sts", region_name="us-east-1").assume_role(
                RoleArn=f"arn:aws:iam::{account_id}:role/{role_name}", RoleSessionName="sandbox"
            )["Credentials"]
            self._keys[account_id, role_name] = {
                "aws_access_key_id": keys["AccessKeyId"],
                "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys["SessionToken"],
            }
        return self._keys[account_id, role_name]

    def session(self, account_id: str, region: str, role_name: str = MANAGEMENT_ROLE) -> boto3.Session:
        """A new session of a role in an account."""
        return boto3.Session(botocore_session=core_session(), region_name=region, **self.credentials(account_id, role_name))

    def clients(self, account_id: str, region: str) -> AccountClients:
        """Clients of an account's administrator, shared by all who ask."""
        if (account_id, region) not in self._clients:
            self._clients[account_id, region] = AccountClients(self, account_id, region)
        return self._clients[account_id, region]

    def session_for_role(self, account_id: str, region: str, role_arn: str | None) -> boto3.Session:
        """What the Automation interpreter asks for: a session of the role, or of the caller."""
        if not role_arn:
            return self.session(account_id, region)
        owner, role = role_arn.split(":")[4:6]
        return self.session(owner, region, role.removeprefix("role/"))


@contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in (*_ENVIRONMENT, *_FORGOTTEN)}
    os.environ.update(_ENVIRONMENT)
    for name in _FORGOTTEN:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _account_hosts() -> Iterator[None]:
    """S3 Control calls <account>.<host of the endpoint>, a name that no resolver knows for a server on this machine."""
    own = socket.getaddrinfo

    def resolved(host: Any, *arguments: Any, **options: Any) -> Any:
        return own(ACCOUNT_HOST.sub(r"\1", host) if isinstance(host, str) else host, *arguments, **options)

    socket.getaddrinfo = resolved
    try:
        yield
    finally:
        socket.getaddrinfo = own
