"""What credentials a user of IAM has. AWS Config does not record them."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from pci_config.rule import Clients, Lookup, Scope


@dataclass(frozen=True, slots=True)
class Credentials:
    """A console password, and access keys by status."""

    password: bool
    active_keys: int
    inactive_keys: int = 0


class UserCredentials(Lookup[Credentials]):
    """GetLoginProfile and ListAccessKeys by user name. NoSuchEntity of the password is an answer; of the user it is none."""

    actions = ("iam:GetLoginProfile", "iam:ListAccessKeys")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Credentials:
        iam = clients.build_client("iam")
        # keys first: for a user that is gone this raises, while "no password" and "no user" are the same error
        pages = iam.get_paginator("list_access_keys").paginate(UserName=key[0])
        statuses = [entry["Status"] for page in pages for entry in page["AccessKeyMetadata"]]
        active = statuses.count("Active")
        return Credentials(cls._has_password(iam, key[0]), active, len(statuses) - active)

    @staticmethod
    def _has_password(iam: object, name: str) -> bool:
        try:
            iam.get_login_profile(UserName=name)  # type: ignore[attr-defined]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchEntity":
                return False
            raise
        return True
