"""The account's own public access settings, which add to those of its buckets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pci_config.collect._recording import Recording
from pci_config.collect._shapes import recorded
from pci_config.rule import Clients

ACCOUNT_BLOCK = "AWS::S3::AccountPublicAccessBlock"
RESOURCE_TYPES = (ACCOUNT_BLOCK,)
ACTIONS = ("s3:GetAccountPublicAccessBlock",)


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Nothing for an account that never set them, as AWS Config records it."""
    try:
        found = clients.build_client("s3control", region).get_public_access_block(AccountId=account_id)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchPublicAccessBlockConfiguration":
            return
        raise
    settings = recorded(found["PublicAccessBlockConfiguration"])
    yield Recording(account_id, region, now).item(ACCOUNT_BLOCK, account_id, settings, arn=None)
