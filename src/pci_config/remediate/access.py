"""The way into each account: the caller's own credentials, or a role assumed there, renewed before it ends."""

from __future__ import annotations

import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 6})
RENEW_AFTER_SECONDS = 45 * 60  # a role that is assumed from a role lasts an hour at most


class AccessError(Exception):
    """AWS cannot be asked; the message says what to do."""


class Access:
    """Clients by account and Region. `session_name` is what CloudTrail shows for the role's session."""

    def __init__(self, home_region: str, role_name: str | None, profile: str | None, session_name: str) -> None:
        self._home_region, self._role_name, self._profile = home_region, role_name, profile
        self._session_name = session_name[:64]
        self._own: boto3.Session | None = None
        self._caller = ("", "")
        self._entered: dict[str, tuple[float, boto3.Session]] = {}
        self._clients: dict[tuple[str, str, str], Any] = {}

    def caller(self) -> str:
        """The caller's ARN. Raises AccessError when there are no credentials."""
        self._own_session()
        return self._caller[1]

    def client(self, service: str, account_id: str, region: str) -> Any:
        """Raises AccessError when the account cannot be entered."""
        session = self._session(account_id)
        key = service, account_id, region
        if key not in self._clients:
            self._clients[key] = session.client(service, region_name=region, config=RETRIES)
        return self._clients[key]

    def _own_session(self) -> boto3.Session:
        if self._own is None:
            try:
                session = boto3.Session(profile_name=self._profile, region_name=self._home_region)
                identity = session.client("sts", config=RETRIES).get_caller_identity()
            except (NoCredentialsError, ProfileNotFound) as error:
                raise AccessError(f"no usable AWS credentials ({error}): sign in, or name a profile with --profile") from None
            except (ClientError, BotoCoreError) as error:
                raise AccessError(
                    f"the AWS credentials cannot be used ({error}): sign in again, or use another --profile"
                ) from None
            self._own, self._caller = session, (identity["Account"], identity["Arn"])
        return self._own

    def _session(self, account_id: str) -> boto3.Session:
        own = self._own_session()
        if not self._role_name:
            if account_id != self._caller[0]:
                raise AccessError(
                    f"account {account_id} is not the caller's own ({self._caller[0]}); name the role to assume there with "
                    "--role-name"
                )
            return own
        since, session = self._entered.get(account_id, (0.0, None))
        if session is None or time.monotonic() - since > RENEW_AFTER_SECONDS:
            session = self._assumed(own, account_id)
            self._entered[account_id] = time.monotonic(), session
            self._clients = {key: client for key, client in self._clients.items() if key[1] != account_id}
        return session

    def _assumed(self, own: boto3.Session, account_id: str) -> boto3.Session:
        arn = f"arn:{own.get_partition_for_region(self._home_region)}:iam::{account_id}:role/{self._role_name}"
        try:
            answer = own.client("sts", config=RETRIES).assume_role(RoleArn=arn, RoleSessionName=self._session_name)
        except (ClientError, BotoCoreError) as error:
            raise AccessError(f"{arn} cannot be assumed ({error})") from None
        keys = answer["Credentials"]
        return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=self._home_region)
