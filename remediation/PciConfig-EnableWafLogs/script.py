"""Turns a web ACL's logging on, to the archive, and takes out filters that keep blocked requests from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.archive_way import ArchiveWay
from pci_config.runbook import Change, Refused, aws, boolean, carry_out, put_back, require_own
from pci_config.tags import tag_map
from pci_config.web_acl_logs import (
    NAME_PREFIX,
    filter_faults,
    keeping_blocked,
    redaction_faults,
    showing_needed_fields,
)

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content

TAKEN = (NAME_PREFIX, f"deliverystream/{NAME_PREFIX}")  # a bucket's or a stream's name behind the account
CLOUDFRONT_REGION = "us-east-1"
MANAGED = "ManagedByFirewallManager"


class WebAcl:
    """A web ACL by ARN or id. State: {"Arn": …, "Logging": GetLoggingConfiguration's answer, None when it is off}."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["WebAcl"])
        self._scopes = ["REGIONAL", *(["CLOUDFRONT"] if event["Region"] == CLOUDFRONT_REGION else [])]
        if self.resource_id.startswith("arn:"):
            require_own(event, self.resource_id)  # that of CloudFront names us-east-1

    def read(self) -> dict[str, Any] | None:
        """GetLoggingConfiguration answers alike for a web ACL that is gone and for one without logging: so they are listed."""
        found = next((each for scope in self._scopes for each in listed(scope) if self.resource_id in each), None)
        if found is None:
            return None
        self.resource_arn, _ = found
        try:
            answer = aws("wafv2").get_logging_configuration(ResourceArn=self.resource_arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "WAFNonexistentItemException":
                raise
            answer = {"LoggingConfiguration": None}
        return {"Arn": self.resource_arn, "Logging": answer["LoggingConfiguration"]}

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Redacted fields are a set; the order of filters may matter."""
        logging = state["Logging"]
        if logging is None:
            return {"Logging": None}
        fields = sorted(logging.get("RedactedFields") or [], key=lambda field: json.dumps(field, sort_keys=True))
        return {"Logging": {**settable(logging), **({"RedactedFields": fields} if fields else {})}}


class WebAclLogs(WebAcl):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._way = ArchiveWay(event, SETTINGS)
        self._destination = str(event["Destination"])
        self._repoint, self._unredact = boolean(event, "Repoint"), boolean(event, "Unredact")

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        return tag_map(aws("wafv2").list_tags_for_resource(ResourceARN=state["Arn"])["TagInfoForResource"]["TagList"])

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        logging = state["Logging"]
        if logging is None:
            wanted = {"ResourceArn": state["Arn"], "LogDestinationConfigs": [self._checked_destination()]}
            return [put(wanted, f"log to {wanted['LogDestinationConfigs'][0]} (logging is off)")]
        try:
            (destination,) = logging["LogDestinationConfigs"]
            dropped = filter_faults(logging.get("LoggingFilter"))
            redacted = redaction_faults(logging.get("RedactedFields") or [])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Refused(f"the logging of {self.resource_id} is not understood ({error!r})") from None
        astray = self._astray(str(destination))
        faults = [*([astray] if astray else []), *dropped, *redacted]
        if not faults:
            return []
        if logging.get(MANAGED):
            raise Refused(
                f"the logging of {self.resource_id} is managed by Firewall Manager: mend its policy ({'; '.join(faults)})"
            )
        wanted = settable(logging)
        if astray:
            if not self._repoint:
                raise Refused(f"needs a human: {astray}; somebody may rely on that: run with Repoint true to move them")
            wanted["LogDestinationConfigs"] = [self._checked_destination()]
        if redacted:
            if not self._unredact:
                raise Refused(f"needs a human: {'; '.join(redacted)}; if they hold no card data, run with Unredact true")
            put_or_drop(wanted, "RedactedFields", showing_needed_fields(logging["RedactedFields"]))
        if dropped:
            put_or_drop(wanted, "LoggingFilter", keeping_blocked(logging["LoggingFilter"]))
        return [put(wanted, f"log to {wanted['LogDestinationConfigs'][0]}, keeping the rest as it is ({'; '.join(faults)})")]

    def _checked_destination(self) -> str:
        return self._way.require(self._destination, TAKEN)

    def _astray(self, destination: str) -> str:
        """What is wrong with the way of the logs."""
        way = self._way.of(destination)
        if way.fault:
            return f"logs -> {way.told()}"
        return "" if NAME_PREFIX in destination else f"logs -> {way}: WAF delivers only to names that begin with {NAME_PREFIX}"


class WebAclLogsRestore(WebAcl):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        if before["Logging"] is None:
            return [
                Change("wafv2", "delete_logging_configuration", {"ResourceArn": state["Arn"]}, "turn logging off: it was off")
            ]
        return [put(before["Logging"], "put the earlier logging back")]


def put(logging: Mapping[str, Any], summary: str) -> Change:
    """PutLoggingConfiguration replaces everything, and has no lock."""
    return Change("wafv2", "put_logging_configuration", {"LoggingConfiguration": dict(logging)}, summary)


def settable(logging: Mapping[str, Any]) -> dict[str, Any]:
    """Without what Firewall Manager sets."""
    return {name: value for name, value in logging.items() if name != MANAGED and value not in (None, [])}


def put_or_drop(logging: dict[str, Any], name: str, value: Any) -> None:
    if value:
        logging[name] = value
    else:
        del logging[name]


def listed(scope: str) -> Iterator[tuple[str, str]]:
    """ARN and id of every web ACL. ListWebACLs has pages and no paginator."""
    marker: dict[str, str] = {}
    while True:
        page = aws("wafv2").list_web_acls(Scope=scope, Limit=100, **marker)
        yield from ((str(each["ARN"]), str(each["Id"])) for each in page["WebACLs"])
        if not page.get("NextMarker") or not page["WebACLs"]:
            return
        marker = {"NextMarker": page["NextMarker"]}


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, WebAclLogs)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, WebAclLogsRestore)
