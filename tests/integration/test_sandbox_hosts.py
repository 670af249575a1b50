"""S3 Control, whose requests go to a host of the account, reaches the sandbox: from here and from a function's process."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pci_config.sandbox import runtime
from pci_config.sandbox.runtime import BundleRuntime
from pci_config.sandbox.server import MotoServer

OWN, REGION = "600000000006", "eu-west-1"
FUNCTION = """
import boto3

def handler(event, context):
    found = boto3.client("s3control").get_public_access_block(AccountId=event["account"])
    return found["PublicAccessBlockConfiguration"]
"""


def test_account_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "function.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("sample.py", FUNCTION)
    monkeypatch.setattr(runtime, "HANDLER", "sample:handler")
    with MotoServer() as server:
        client = server.clients(OWN, REGION).build_client("s3control")
        with pytest.raises(ClientError, match="NoSuchPublicAccessBlockConfiguration"):
            client.get_public_access_block(AccountId=OWN)
        settings: Any = {"BlockPublicAcls": True}
        client.put_public_access_block(AccountId=OWN, PublicAccessBlockConfiguration=settings)
        with BundleRuntime(bundle, server) as function:
            found = function.invoke("sample", OWN, REGION, {"account": OWN})
    assert found["BlockPublicAcls"] is True
