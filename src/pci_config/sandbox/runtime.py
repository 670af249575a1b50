"""Where Lambda functions run in the sandbox: the built bundle in a process of its own, or the source in this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from pci_config.sandbox.server import MotoServer

HANDLER = "pci_config.evaluator:lambda_handler"
# What Lambda's Python runtime brings along beside the standard library.
PROVIDED = ("boto3", "botocore", "jmespath", "urllib3", "dateutil", "s3transfer", "six", "certifi", "awscrt")

_WORKER = """
import importlib.util, json, os, socket, sys
folder, handler, provided = sys.argv[1], sys.argv[2], set(sys.argv[3].split(","))
own = {name.split(".")[0] for name in os.listdir(folder)}

class Guard:
    '''Refuses what Lambda would not have, so that a forgotten file shows here and not in production.'''
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names or top in provided or top in own:
            return None
        raise ModuleNotFoundError(f"{name} is neither in the bundle nor provided by Lambda", name=name)

# S3 Control's clients put the account before the host; that name leads to the sandbox as well
resolve = socket.getaddrinfo
def resolved(host, *more, **options):
    return resolve("127.0.0.1" if str(host).endswith(".127.0.0.1") else host, *more, **options)
socket.getaddrinfo = resolved

sys.meta_path.insert(0, Guard())
sys.path.insert(0, folder)
module, function = handler.split(":")
out, sys.stdout = sys.stdout, sys.stderr
call = None
for line in sys.stdin:
    try:
        if call is None:
            call = getattr(importlib.import_module(module), function)
        answer = {"result": call(json.loads(line), None)}
    except Exception as error:
        answer = {"errorType": type(error).__name__, "errorMessage": str(error)}
    out.write(json.dumps(answer, default=str) + "\\n")
    out.flush()
"""


class FunctionError(Exception):
    """The function raised: Lambda's FunctionError, `type: message`."""


class Runtime(Protocol):
    def invoke(self, function_name: str, account_id: str, region: str, event: Mapping[str, Any]) -> Any:
        """The function's result. Raises FunctionError."""
        ...


class SourceRuntime:
    """Calls a handler of this process, for quick tests."""

    def __init__(self, handler: Callable[[Mapping[str, Any], Any], Any]) -> None:
        self._handler = handler

    def invoke(self, function_name: str, account_id: str, region: str, event: Mapping[str, Any]) -> Any:
        del function_name, account_id, region
        try:
            return self._handler(event, None)
        except Exception as error:
            raise FunctionError(f"{type(error).__name__}: {error}") from error


class BundleRuntime:
    """Runs the built bundle: one long-lived process for each account and Region, with that account's credentials."""

    def __init__(self, bundle: Path, server: MotoServer, role_name: str = "pci-config-rules") -> None:
        self._server, self._role_name = server, role_name
        self._folder = Path(tempfile.mkdtemp(prefix="pci-config-bundle-"))
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(self._folder)
        self._workers: dict[tuple[str, str], subprocess.Popen[str]] = {}
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()

    def __enter__(self) -> BundleRuntime:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def invoke(self, function_name: str, account_id: str, region: str, event: Mapping[str, Any]) -> Any:
        worker = self._worker(function_name, account_id, region)
        assert worker.stdin is not None  # noqa: S101 - both are pipes
        assert worker.stdout is not None  # noqa: S101
        worker.stdin.write(json.dumps(event) + "\n")
        worker.stdin.flush()
        line = worker.stdout.readline()
        if not line:
            raise FunctionError("Runtime.ExitError: the function's process ended")
        answer = json.loads(line)
        if "errorType" in answer:
            raise FunctionError(f"{answer['errorType']}: {answer['errorMessage']}")
        return answer["result"]

    def _worker(self, function_name: str, account_id: str, region: str) -> subprocess.Popen[str]:
        if (account_id, region) not in self._workers:
            keys = self._server.credentials(account_id, self._role_name)
            environment = {
                "PATH": os.environ.get("PATH", ""),
                "AWS_ENDPOINT_URL": self._server.endpoint,
                "AWS_REGION": region,
                "AWS_DEFAULT_REGION": region,
                "AWS_LAMBDA_FUNCTION_NAME": function_name,
                "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
                "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
                "AWS_SESSION_TOKEN": keys["aws_session_token"],
                "AWS_EC2_METADATA_DISABLED": "true",
            }
            self._workers[account_id, region] = subprocess.Popen(  # noqa: S603 - our own worker
                [sys.executable, "-I", "-c", _WORKER, str(self._folder), HANDLER, ",".join(PROVIDED)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                env=environment,
            )
        return self._workers[account_id, region]

    def logs(self) -> str:
        """Everything the functions wrote."""
        self._log.flush()
        self._log.seek(0)
        return self._log.read()

    def close(self) -> None:
        for worker in self._workers.values():
            if worker.stdin:
                worker.stdin.close()
            worker.wait(timeout=10)
            if worker.stdout:
                worker.stdout.close()
        self._workers.clear()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
