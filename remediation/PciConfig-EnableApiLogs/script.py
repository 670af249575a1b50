"""Gives a stage of API Gateway an access log that ends in the archive, and completes its format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.api_logs import ADDED, ADDED_REST, completed_format, format_faults
from pci_config.archive_way import ArchiveWay
from pci_config.runbook import Change, Refused, aws, boolean, carry_out, put_back, require_own

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content

TAKEN = ("deliverystream/amazon-apigateway-",)
DESTINATION, FORMAT = "destinationArn", "format"  # as REST APIs spell them; HTTP and WebSocket APIs begin with capitals


class Stage:
    """A stage by its ARN, which names no account.

    State: {"AccessLog": destination and format as far as there are any, "Tags": …, "Managed": by API Gateway itself}.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["Stage"])
        require_own(event, self.resource_id)
        parts = self.resource_id.split(":", 5)[5].split("/")
        if len(parts) != 5 or parts[1] not in ("restapis", "apis") or parts[3] != "stages":
            raise Refused(f"{self.resource_id} is no stage of API Gateway")
        _, kind, self._api, _, self._name = parts
        self._rest = kind == "restapis"

    def read(self) -> dict[str, Any] | None:
        try:
            if self._rest:
                found = aws("apigateway").get_stage(restApiId=self._api, stageName=self._name)
            else:
                found = aws("apigatewayv2").get_stage(ApiId=self._api, StageName=self._name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotFoundException":
                return None
            raise
        log = found.get("accessLogSettings" if self._rest else "AccessLogSettings") or {}
        members = {name: log.get(name if self._rest else capital(name)) for name in (DESTINATION, FORMAT)}
        if any(not isinstance(value, str | None) for value in members.values()):
            raise Refused(f"the access log of {self.resource_id} is not understood")
        return {
            "AccessLog": {name: value for name, value in members.items() if value},
            "Tags": found.get("tags" if self._rest else "Tags") or {},
            "Managed": found.get("ApiGatewayManaged") is True,
        }

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {"AccessLog": state["AccessLog"]}

    def set(self, log: Mapping[str, str], summary: str) -> Change:
        if self._rest:
            operations = [{"op": "replace", "path": f"/accessLogSettings/{name}", "value": log[name]} for name in sorted(log)]
            return self._patched(operations, summary)
        settings = {capital(name): log[name] for name in sorted(log)}
        parameters = {"ApiId": self._api, "StageName": self._name, "AccessLogSettings": settings}
        return Change("apigatewayv2", "update_stage", parameters, summary)

    def cleared(self, summary: str) -> Change:
        if self._rest:
            return self._patched([{"op": "remove", "path": "/accessLogSettings"}], summary)
        parameters = {"ApiId": self._api, "StageName": self._name}
        return Change("apigatewayv2", "delete_access_log_settings", parameters, summary)

    def _patched(self, operations: Sequence[Mapping[str, str]], summary: str) -> Change:
        parameters = {"restApiId": self._api, "stageName": self._name, "patchOperations": list(operations)}
        return Change("apigateway", "update_stage", parameters, summary)


class StageLogs(Stage):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._way = ArchiveWay(event, SETTINGS)
        self._destination = str(event["Destination"])
        self._repoint = boolean(event, "Repoint")

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        tags: Mapping[str, str] = state["Tags"]
        return tags

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        log = state["AccessLog"]
        destination = log.get(DESTINATION, "")
        way = self._way.of(destination) if destination else None
        faults = [f"access log -> {way.told()}"] if way and way.fault else [] if way else ["there is no access log"]
        astray = bool(faults)
        faults += format_faults(log.get(FORMAT, "")) if way else []
        if not faults:
            return []
        if state["Managed"]:
            raise Refused(f"{self.resource_id} is managed by API Gateway, which lets nobody change it ({'; '.join(faults)})")
        if astray:
            if way and not self._repoint:
                raise Refused(f"needs a human: {faults[0]}; somebody may rely on that: run with Repoint true to move it")
            destination = self._way.require(self._destination, TAKEN)
        try:
            completed = completed_format(log.get(FORMAT, ""), ADDED_REST if self._rest else ADDED)
        except ValueError as error:
            raise Refused(f"needs a human: {'; '.join(faults)}; {error}: complete it by hand") from None
        wanted = {DESTINATION: destination, FORMAT: completed}
        return [self.set(wanted, f"write the access log of stage {self._name} to {destination} ({'; '.join(faults)})")]


class StageLogsRestore(Stage):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        log = before["AccessLog"]
        if not log:
            return [self.cleared("turn the access log off: there was none")]
        cleared = [] if set(log) == set(state["AccessLog"]) else [self.cleared("clear the access log")]
        return [*cleared, self.set(log, "put the earlier access log back")]


def capital(name: str) -> str:
    return name[0].upper() + name[1:]


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, StageLogs)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, StageLogsRestore)
