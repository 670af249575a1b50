"""Approval records of time-boxed production access: what the access system writes and what the rule accepts.

One record for each grant, in a DynamoDB table of the production identity account. Partition key `user`, sort key
`approval_id`; so the grants of a user are one query, and a grant is written once (`attribute_not_exists(approval_id)`).

| attribute | type | meaning |
|---|---|---|
| user | S | IAM user who was given access |
| approval_id | S | identifies the grant; the same in chat, in the log and here |
| group | S | production-access group that the user was put into |
| granted | N | epoch seconds from which it holds |
| expires | N | epoch seconds from which it no longer holds |
| requester | S | who asked |
| approver | S | who approved; neither the requester nor the user |
| revoked | N | epoch seconds of an early end; absent otherwise |

`user`, `requester` and `approver` are names of one and the same directory, so that they can be compared. DynamoDB deletes
expired items days later: a record's presence proves nothing, its times do. Standard library only; runs in Lambda.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_TEXTS = ("user", "approval_id", "group", "requester", "approver")
_MOMENTS = ("granted", "expires")
LATEST_MOMENT = 253402300799  # the end of the year 9999, the last that datetime can show


class MalformedRecordError(ValueError):
    """The record lacks an attribute or has one of another kind; the message names it."""


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """One grant, with whole epoch seconds."""

    user: str
    approval_id: str
    group: str
    granted: int
    expires: int
    requester: str
    approver: str
    revoked: int | None = None

    @classmethod
    def from_attributes(cls, item: Mapping[str, Any]) -> AccessRecord:
        """From DynamoDB's form, `{"user": {"S": "jane"}, …}`. Raises MalformedRecordError."""
        return cls(
            user=_text(item, "user"),
            approval_id=_text(item, "approval_id"),
            group=_text(item, "group"),
            granted=_epoch(item, "granted"),
            expires=_epoch(item, "expires"),
            requester=_text(item, "requester"),
            approver=_text(item, "approver"),
            revoked=_epoch(item, "revoked") if "revoked" in item else None,
        )

    def to_attributes(self) -> dict[str, dict[str, str]]:
        """In DynamoDB's form."""
        item = {name: {"S": getattr(self, name)} for name in _TEXTS}
        item |= {name: {"N": str(getattr(self, name))} for name in _MOMENTS}
        return item if self.revoked is None else {**item, "revoked": {"N": str(self.revoked)}}

    @property
    def ended(self) -> int:
        """When it ended or will end: at its expiry, or earlier when it was revoked."""
        return self.expires if self.revoked is None else min(self.expires, self.revoked)

    def fault(self, now: datetime, longest_seconds: int) -> str:
        """Why the record does not allow access at this moment; empty when it does."""
        moment, seconds = now.timestamp(), self.expires - self.granted
        if self.approver.casefold() in (self.requester.casefold(), self.user.casefold()):
            return f"{self.approval_id} is self-approved"
        if seconds > longest_seconds:
            return f"{self.approval_id} lasts {seconds / 3600:.3g} h, expected <= {longest_seconds / 3600:.3g} h"
        if moment < self.granted:
            return f"{self.approval_id} begins {shown(self.granted)}"
        if moment >= self.ended:
            return f"{self.approval_id} {'expired' if self.ended == self.expires else 'revoked'} {shown(self.ended)}"
        return ""


def shown(moment: int) -> str:
    """Epoch seconds as people read them."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if not isinstance(value, Mapping) or not isinstance(value.get("S"), str) or not value["S"].strip():
        raise MalformedRecordError(f"{name} is no text")
    return str(value["S"])


def _epoch(item: Mapping[str, Any], name: str) -> int:
    value = item.get(name)
    text = value.get("N") if isinstance(value, Mapping) else None
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,12}", text) or int(text) > LATEST_MOMENT:
        raise MalformedRecordError(f"{name} is no time in epoch seconds")
    return int(text)
