"""Takes a user out of the production-access groups for which no approval holds."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from pci_config.access_records import AccessRecord, MalformedRecordError
from pci_config.iam_users import User, account_users
from pci_config.production_access import IDENTITY_ROLE, approval, approval_records, bypasses, is_access_group
from pci_config.runbook import Change, Refused, aws, carry_out, integer
from pci_config.tags import tag_map

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content

NONE = "none"


class ExpiredAccess:
    """The memberships of one user, by the id that AWS Config passes.

    State: {"user": User, "described": GetUser, "records": approval records, or None where there is no table}.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["UserId"])
        if event["AccountId"] not in accounts_of(IDENTITY_ROLE):
            raise Refused(f"{event['AccountId']} is not the identity account of production: run this there")
        self._production = [number for role in listed(event, "ProductionAccounts") for number in accounts_of(role)]
        self._groups = listed(event, "AccessGroups")
        self._table = str(event["RecordTable"])
        self._longest_seconds = integer(event, "MaxAccessHours") * 3600
        self._break_glass = listed(event, "BreakGlassUsers")
        self._planned = False

    def read(self) -> dict[str, Any] | None:
        user = next((user for user in account_users(aws("iam")) if user.user_id == self.resource_id), None)
        if user is None:
            return None
        try:
            described = aws("iam").get_user(UserName=user.name)["User"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchEntity":
                return None
            raise
        self.resource_arn = str(described["Arn"])
        records = approval_records(aws("dynamodb"), self._table, user.name)
        return {"user": user, "described": described, "records": records}

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        user: User = state["user"]
        records = sorted(state["records"] or [], key=lambda each: json.dumps(each, sort_keys=True, default=str))
        return {"UserId": user.user_id, "UserName": user.name, "Groups": sorted(user.groups), "Approvals": records}

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        return tag_map(state["described"].get("Tags"))

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        user: User = state["user"]
        found = list(self._removed(user, state["records"]))
        left = bypasses(user, self._production, self._groups)
        if any(fnmatch.fnmatchcase(user.name, pattern) for pattern in self._break_glass) and (found or left):
            raise Refused(f"{user.name} is a break-glass user: record an exception, or remove it by hand; nothing done")
        told = "; ".join(left)
        if left and not found and not self._planned:
            raise Refused(f"{told}: this changes memberships only, take the policy away by hand; nothing done")
        if left and found:
            found[-1] = replace(found[-1], summary=f"{found[-1].summary} (left as it is: {told})")
        self._planned = self._planned or bool(found)
        return found

    def _removed(self, user: User, records: Sequence[Mapping[str, Any]] | None) -> Iterator[Change]:
        entered = sorted(group for group in user.groups if is_access_group(group, self._groups))
        if not entered:
            return
        if records is None:
            raise Refused(
                f"there is no table {self._table} here: without it nobody is approved, and everybody would be removed"
            )
        now = datetime.now(UTC)
        for group in entered:
            fault, held = approval(user.name, group, records, now, self._longest_seconds)
            if held:
                continue
            self._refuse_malformed(user, records)
            parameters = {"UserName": user.name, "GroupName": group}
            yield Change("iam", "remove_user_from_group", parameters, f"remove {user.name} from {group}: {fault}")

    def _refuse_malformed(self, user: User, records: Sequence[Mapping[str, Any]]) -> None:
        """It may be meant as the approval that is missing."""
        for attributes in records:
            try:
                AccessRecord.from_attributes(attributes)
            except MalformedRecordError as error:
                raise Refused(f"a record of {user.name} in {self._table} is malformed ({error}): mend or delete it") from None


def accounts_of(role: str) -> list[str]:
    """Account ids of a role. Raises Refused when it is not set."""
    found = SETTINGS.get("Accounts", {}).get(role)
    if not found:
        raise Refused(f"rdk.json: Accounts.{role} is not set; this document needs it")
    return [found] if isinstance(found, str) else list(found)


def listed(event: Mapping[str, Any], name: str) -> list[str]:
    return [] if event[name] == NONE else [entry.strip() for entry in str(event[name]).split(",")]


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, ExpiredAccess)
