"""Switches Security Hub on where it is off, and subscribes the wanted standards that are missing; nothing is switched off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.runbook import Change, Refused, aws, carry_out, put_back
from pci_config.security_hub import (
    DELETING,
    PENDING,
    StandardError,
    says_off,
    standard_of,
    standard_problems,
    subscribed_standards,
    wanted_standard,
)

CENTRAL = (
    " (where AWS refuses this, the organization's central configuration manages the account: "
    "Security Hub's delegated administrator changes its configuration policy)"
)


class AccountHub:
    """Security Hub of this account and Region.

    State: {"hub": its ARN or None, "subscriptions": GetEnabledStandards, "offered": ARNs, or None where they are not told}.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        if event["ResourceId"] != event["AccountId"]:
            raise Refused(f"{event['ResourceId']} is not this account ({event['AccountId']})")
        self.resource_id = str(event["ResourceId"])

    def read(self) -> dict[str, Any]:
        hub = answered("describe_hub")
        if hub is None:
            return {"hub": None, "subscriptions": [], "offered": offered_standards()}
        pages = aws("securityhub").get_paginator("get_enabled_standards").paginate()
        subscriptions = [subscription for page in pages for subscription in page["StandardsSubscriptions"]]
        return {"hub": hub["HubArn"], "subscriptions": subscriptions, "offered": offered_standards()}

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Without statuses: they go on by themselves."""
        return {
            "Enabled": state["hub"] is not None,
            "Subscriptions": {
                subscription["StandardsArn"]: subscription["StandardsSubscriptionArn"]
                for subscription in sorted(state["subscriptions"], key=lambda each: str(each["StandardsArn"]))
                if subscription["StandardsStatus"] != DELETING
            },
        }


class HubStandards(AccountHub):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._entries = [entry.strip() for entry in str(event["Standards"]).split(",")]
        self._enabled_blindly = False
        self._planned = False

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        if state["hub"] is None:
            return {}
        found: Mapping[str, str] = aws("securityhub").list_tags_for_resource(ResourceArn=state["hub"]).get("Tags") or {}
        return found

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        found = list(self._enabled(state)) + list(self._subscribed(state))
        if found and not self._planned:
            refuse_without_recorder()
        # still needed after the calls: they were refused, most likely by central configuration, which no member can see
        hint = CENTRAL if self._planned else ""
        self._planned = True
        return [Change(each.service, each.operation, each.parameters, each.summary + hint) for each in found]

    def _enabled(self, state: Mapping[str, Any]) -> Iterator[Change]:
        if state["hub"] is None:
            later = "" if state["offered"] is not None else "; run again to subscribe, once Security Hub tells its standards"
            self._enabled_blindly = bool(later)
            parameters = {"EnableDefaultStandards": False}
            yield Change("securityhub", "enable_security_hub", parameters, f"switch Security Hub on{later}")

    def _subscribed(self, state: Mapping[str, Any]) -> Iterator[Change]:
        if self._enabled_blindly:
            return
        try:
            wanted = [wanted_standard(entry, state["offered"]) for entry in self._entries]
            held = subscribed_standards(state["subscriptions"])
        except StandardError as error:
            raise Refused(f"Standards: {error}") from None
        missing, stuck = [], []
        for standard, problem in standard_problems(wanted, held):
            if standard not in held:
                missing.append(standard)
            elif not held[standard].startswith(PENDING):  # which becomes READY by itself
                stuck.append(problem)
        if stuck and not missing and not self._planned:
            raise Refused(f"{'; '.join(stuck)}: subscribed as wanted; mend what Security Hub misses, or wait; nothing done")
        if missing:
            arns = [arn for arn in state["offered"] if standard_of(arn) in missing]
            parameters = {"StandardsSubscriptionRequests": [{"StandardsArn": arn} for arn in arns]}
            names = ", ".join(" ".join(standard) for standard in missing)
            yield Change("securityhub", "batch_enable_standards", parameters, f"subscribe {names}")


class HubRestore(AccountHub):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        """What is there beside the record is the fix's: anything else would have changed the digest."""
        if not before["Enabled"]:
            return [Change("securityhub", "disable_security_hub", {}, "switch Security Hub off, as it was")]
        now = self.record(state)["Subscriptions"]
        added = [arn for standard, arn in now.items() if standard not in before["Subscriptions"]]
        names = ", ".join(arn.partition("subscription/")[2] for arn in added)
        parameters = {"StandardsSubscriptionArns": added}
        return [Change("securityhub", "batch_disable_standards", parameters, f"unsubscribe {names}")]


def refuse_without_recorder() -> None:
    """The checks of a standard are rules of AWS Config."""
    statuses = aws("config").describe_configuration_recorder_status()["ConfigurationRecordersStatus"]
    if not any(status.get("recording") is True for status in statuses):
        raise Refused(
            "AWS Config records nothing here, so that a standard would stay INCOMPLETE: mend the recorder first; nothing done"
        )


def offered_standards() -> list[str] | None:
    """None where Security Hub is off and does not tell."""
    pages = answered("describe_standards")
    if pages is None:
        return None
    found = [standard["StandardsArn"] for standard in pages["Standards"]]
    while pages.get("NextToken"):
        pages = aws("securityhub").describe_standards(NextToken=pages["NextToken"])
        found += [standard["StandardsArn"] for standard in pages["Standards"]]
    return found


def answered(operation: str) -> Any:
    """The answer; None when Security Hub says that it is off."""
    try:
        return getattr(aws("securityhub"), operation)()
    except ClientError as error:
        if says_off(error.response["Error"]["Code"], error.response["Error"].get("Message", "")):
            return None
        raise


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, HubStandards)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, HubRestore)
