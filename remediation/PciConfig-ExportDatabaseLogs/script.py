"""Exports a database's audit log, and subscribes its log group into the archive. What writes the log is read, not changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pci_config.archive_way import NO_DESTINATION, ArchiveWay
from pci_config.database import Database, described_cluster, described_instance, option_settings, parameter_values
from pci_config.database_logs import ENGINES, exported_to
from pci_config.log_destination_live import LiveSurroundings
from pci_config.log_reading import subscription_filters
from pci_config.runbook import Change, Refused, aws, carry_out, put_back, require_own
from pci_config.tags import tag_map

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content

FILTER = "pci-config-archive"
PASSED_ROLES = "pci-config-logs-"  # as the document's role may pass them
AVAILABLE = "available"


class LiveGroups:
    def parameters(self, kind: str, group: str) -> Mapping[str, str]:
        return parameter_values(aws("rds"), kind, group)

    def options(self, group: str) -> Mapping[str, Mapping[str, str]]:
        return option_settings(aws("rds"), group)


class LoggedDatabase:
    """A cluster or an instance, by its resource id.

    State: {"Found": as described, "Database": its groups, "Export": the audit log's type, "LogGroup": its name, "Filters": the
    group's subscription filters, None when there is no such group}.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["Database"])
        self._event = event
        self._cluster = self.resource_id.startswith("cluster-")

    def read(self) -> dict[str, Any] | None:
        found = self._described()
        if found is None:
            return None
        self.resource_arn = str(found["DBClusterArn" if self._cluster else "DBInstanceArn"])
        require_own(self._event, self.resource_arn)
        if not self._cluster and found.get("DBClusterIdentifier"):
            raise Refused(f"{self.resource_id} is a member of cluster {found['DBClusterIdentifier']}: run this for the cluster")
        try:
            database = described_cluster(found) if self._cluster else described_instance(found)
        except (KeyError, TypeError) as error:
            raise Refused(f"the description of {self.resource_id} is not understood ({error!r})") from None
        if database.engine not in ENGINES:
            raise Refused(f"engine {database.engine}: how its audit log is turned on and exported is not known here")
        export, _ = ENGINES[database.engine]
        group = exported_to(database, export)
        filters = subscription_filters(aws("logs"), group)
        return {"Found": found, "Database": database, "Export": export, "LogGroup": group, "Filters": filters}

    def _described(self) -> Mapping[str, Any] | None:
        rds, wanted = aws("rds"), [self.resource_id]
        if self._cluster:
            found = rds.describe_db_clusters(Filters=[{"Name": "db-cluster-resource-id", "Values": wanted}])["DBClusters"]
        else:
            found = rds.describe_db_instances(Filters=[{"Name": "dbi-resource-id", "Values": wanted}])["DBInstances"]
        if len(found) > 1:
            raise Refused(f"{self.resource_id} is the resource id of several databases")
        return found[0] if found else None

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The log group is no part of it: it stays when everything else is put back."""
        filters = [{name: each[name] for name in sorted(each) if name != "creationTime"} for each in state["Filters"] or []]
        return {"Exports": exports(state["Found"]), "Filters": sorted(filters, key=lambda each: str(each["filterName"]))}

    def modified(self, state: Mapping[str, Any], summary: str, **types: Sequence[str]) -> Change:
        """ApplyImmediately is not passed: exports do not wait for it, and it would apply what else is pending."""
        status = state["Found"]["Status" if self._cluster else "DBInstanceStatus"]
        if status != AVAILABLE:
            raise Refused(f"{self.resource_id} is {status}: its exports can be changed when it is {AVAILABLE}")
        kind = "cluster" if self._cluster else "instance"
        parameters = {
            f"DB{kind.capitalize()}Identifier": state["Database"].name,
            "CloudwatchLogsExportConfiguration": {name: list(listed) for name, listed in types.items()},
        }
        return Change("rds", f"modify_db_{kind}", parameters, summary)


class DatabaseLogs(LoggedDatabase):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._way = ArchiveWay(event, SETTINGS)
        self._destination, self._role = str(event["Destination"]), str(event["SubscriptionRole"])
        self._planned = False

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        return tag_map(state["Found"].get("TagList"))

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        left = self._unwritten(state["Database"])
        found = []
        if state["Export"] not in exports(state["Found"]):
            summary = f"export log {state['Export']} of {state['Database'].name} to {state['LogGroup']}"
            found.append(self.modified(state, summary, EnableLogTypes=[state["Export"]]))
        found += self._subscribed(state, left)
        if left and not found and not self._planned:
            raise Refused(f"needs a human: {'; '.join(left)}")
        if left and found:
            found[0] = replace(found[0], summary=f"{found[0].summary} (not mended here: {'; '.join(left)})")
        self._planned = self._planned or bool(found)
        return found

    def _unwritten(self, database: Database) -> list[str]:
        """Why nothing may be written to the log: a matter of its groups."""
        _, written = ENGINES[database.engine]
        return list(written(database, LiveGroups()))

    def _subscribed(self, state: Mapping[str, Any], left: list[str]) -> list[Change]:
        """The calls that lead the log group to the archive. What they cannot do is added to `left`."""
        group = state["LogGroup"]
        way = self._way.of_group(group)
        if not way.fault:
            return []
        if LiveSurroundings().subscriptions(group):
            left.append(f"{way.told()}; mend that subscription")
            return []
        if self._destination == NO_DESTINATION:
            left.append(f"{way.told()}; run with Destination")
            return []
        destination = self._way.require(self._destination, ["deliverystream/"])
        if self._role == NO_DESTINATION:
            raise Refused("SubscriptionRole is none: name the role with which CloudWatch Logs puts into the stream")
        require_own(self._event, self._role)
        if f":role/{PASSED_ROLES}" not in self._role:
            raise Refused(f"{self._role}: this document may pass CloudWatch Logs roles named {PASSED_ROLES}* only")
        subscription = {
            "logGroupName": group,
            "filterName": FILTER,
            "filterPattern": "",
            "destinationArn": destination,
            "roleArn": self._role,
        }
        made = [] if state["Filters"] is not None else [new_group(group)]
        return [*made, Change("logs", "put_subscription_filter", subscription, f"send log group {group} on to {destination}")]


class DatabaseLogsRestore(LoggedDatabase):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        now, found = self.record(state), []
        types = {
            "EnableLogTypes": [name for name in before["Exports"] if name not in now["Exports"]],
            "DisableLogTypes": [name for name in now["Exports"] if name not in before["Exports"]],
        }
        types = {name: listed for name, listed in types.items() if listed}
        if types:
            summary = f"export {', '.join(before['Exports']) or 'nothing'} of {state['Database'].name}, as before"
            found.append(self.modified(state, summary, **types))
        known = {each["filterName"] for each in before["Filters"]}
        for each in now["Filters"]:
            if each["filterName"] not in known:
                parameters = {"logGroupName": state["LogGroup"], "filterName": each["filterName"]}
                summary = f"remove subscription {each['filterName']} of {state['LogGroup']}"
                found.append(Change("logs", "delete_subscription_filter", parameters, summary))
        return found


def exports(found: Mapping[str, Any]) -> list[str]:
    """Log types that are exported, or will be as soon as what was asked for is applied."""
    pending = (found.get("PendingModifiedValues") or {}).get("PendingCloudwatchLogsExports") or {}
    on, off = pending.get("LogTypesToEnable") or [], pending.get("LogTypesToDisable") or []
    return sorted({*(found.get("EnabledCloudwatchLogsExports") or []), *on} - set(off))


def new_group(name: str) -> Change:
    return Change("logs", "create_log_group", {"logGroupName": name}, f"make log group {name}")


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, DatabaseLogs)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, DatabaseLogsRestore)
