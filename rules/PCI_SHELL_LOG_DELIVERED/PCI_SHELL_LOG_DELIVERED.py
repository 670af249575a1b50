"""PCI_SHELL_LOG_DELIVERED: interactive shells are recorded, encrypted, into the central archive, and end when idle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pci_config.log_destination import Route, bucket_route, group_route
from pci_config.log_facts import LOG_LOOKUPS, LookedUp, place_of
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    Lookup,
    PciRule,
    RuleInputError,
    Scope,
    about_account,
    compliant,
    counted,
    integer,
    non_compliant,
    optional,
    required,
)

CLUSTER = "AWS::ECS::Cluster"
PREFERENCES = "SSM-SessionManagerRunShell"
SUFFIX = " [PCI 10.2.1.2]"
IDLE_SUFFIX = " [PCI 10.2.1.2, 8.2.8]"


@dataclass(frozen=True, slots=True)
class ShellParameters:
    max_idle_minutes: int = integer(15, 1, 60)
    """Minutes after which an idle session ends."""


class SessionPreferences(Lookup[Mapping[str, Any] | None]):
    """The inputs of Session Manager's preferences document; None when it was never made. AWS Config does not record them."""

    actions = ("ssm:GetDocument",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Mapping[str, Any] | None:
        try:
            document = clients.build_client("ssm").get_document(Name=PREFERENCES)
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidDocument":
                return None
            raise
        try:
            inputs = json.loads(document["Content"])["inputs"]
        except (KeyError, TypeError, ValueError) as error:
            raise RuleInputError(f"{PREFERENCES}: is no session document ({error!r})") from None
        if not isinstance(inputs, Mapping):
            raise RuleInputError(f"{PREFERENCES}: inputs is {type(inputs).__name__}, expected an object")
        return inputs


class PciShellLogDelivered(PciRule):
    """ECS Exec and Session Manager record what is typed, encrypted, into the archive; idle sessions end within 15 minutes.

    PCI DSS 4.0.1: 10.2.1.2, 8.2.8. 3.2.1: 10.2.2, 8.1.8. Source: ECS API reference, ExecuteCommandConfiguration; Systems
    Manager user guide, session document schema. Contents of port forwarding and SSH sessions are never recorded by AWS.

    | ECS cluster | verdict |
    |---|---|
    | Logging OVERRIDE to an encrypted archive bucket, or an encrypted log group that ends in the archive | compliant |
    | NONE, DEFAULT or not set | non-compliant: nothing, or each task's own log group only |
    | to another place, or without encryption | non-compliant |

    | account and Region (Session Manager) | verdict |
    |---|---|
    | preferences that do the same and end idle sessions in time | compliant |
    | no preferences document: nothing is recorded | non-compliant |
    """

    resource_types = (CLUSTER,)
    parameters = ShellParameters
    lookups = (SessionPreferences, *LOG_LOOKUPS)
    sweeps = True  # subscriptions of the log group change without the cluster

    def decide(self, item: Item, parameters: ShellParameters, facts: Facts) -> Finding:
        del parameters
        required(item, "configuration", Mapping)
        setting = optional(item, "configuration.Configuration.ExecuteCommandConfiguration", Mapping, {})
        logging = optional(setting, "Logging", str, "not set")
        if logging in ("NONE", "DEFAULT", "not set"):
            return non_compliant(f"ECS Exec logging is {logging}; expected OVERRIDE with a destination of the archive{SUFFIX}")
        if logging != "OVERRIDE":
            raise RuleInputError(f"ExecuteCommandConfiguration.Logging is {logging!r}, which this rule does not know")
        log = optional(setting, "LogConfiguration", Mapping, {})
        return verdict(
            "ECS Exec",
            (optional(log, "S3BucketName", str, ""), optional(log, "S3EncryptionEnabled", bool, False)),
            (optional(log, "CloudWatchLogGroupName", str, ""), optional(log, "CloudWatchEncryptionEnabled", bool, False)),
            [],
            SUFFIX,
            facts,
        )

    def decide_account(self, parameters: ShellParameters, facts: Facts) -> Sequence[Finding]:
        inputs = facts.get(SessionPreferences)
        if inputs is None:
            finding = non_compliant(
                f"Session Manager has no preferences ({PREFERENCES}): log sessions to the archive{IDLE_SUFFIX}"
            )
            return [about_account(finding, facts)]
        finding = verdict(
            "Session Manager",
            (optional(inputs, "s3BucketName", str, ""), optional(inputs, "s3EncryptionEnabled", bool, False)),
            (optional(inputs, "cloudWatchLogGroupName", str, ""), optional(inputs, "cloudWatchEncryptionEnabled", bool, False)),
            idle_faults(optional(inputs, "idleSessionTimeout", str, ""), parameters.max_idle_minutes),
            IDLE_SUFFIX,
            facts,
        )
        return [about_account(finding, facts)]


def verdict(
    what: str, bucket: tuple[str, bool], group: tuple[str, bool], faults: list[str], suffix: str, facts: Facts
) -> Finding:
    """`bucket` and `group`: name ("" for none) and whether encryption is asked for. One good destination is enough."""
    routes: list[tuple[Route, bool]] = []
    if bucket[0]:
        routes.append((bucket_route(bucket[0], facts.scope.settings), bucket[1]))
    if group[0] and not any(way.fault is None and encrypted for way, encrypted in routes):
        routes.append((group_route(group[0], place_of(facts), LookedUp(facts)), group[1]))
    good = next((way for way, encrypted in routes if way.fault is None and encrypted), None)
    if good is None:
        missed = [f"{what} -> {way.told()}" if way.fault else f"{what} -> {way} without encryption" for way, _ in routes]
        faults = [*(missed or [f"{what} names no destination; send its log to the archive"]), *faults]
    if faults:
        return non_compliant(counted(faults, "problem", suffix))
    return compliant(f"{what} -> {good}, encrypted")


def idle_faults(minutes: str, limit: int) -> list[str]:
    if not minutes:
        return [f"idleSessionTimeout is not set (20 minutes by default), expected <= {limit}"]
    if not minutes.isdecimal():
        raise RuleInputError(f"{PREFERENCES}: idleSessionTimeout is {minutes!r}, expected minutes")
    return [f"idle sessions end after {minutes} minutes, expected <= {limit}"] if int(minutes) > limit else []


lambda_handler = PciShellLogDelivered.as_lambda_handler()
