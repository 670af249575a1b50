"""PCI_RECORDER_COVERS_SCOPE: AWS Config records everything that the rules judge, delivers it and keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pci_config.configuration_recorder import (
    RecorderState,
    Recording,
    UnknownShape,
    recorder_state,
    recording_gaps,
    retention_days,
    stopped,
    undelivered,
)
from pci_config.recorded_types import Need, needed_types
from pci_config.rule import (
    MAX_ANNOTATION_CHARACTERS,
    Clients,
    Facts,
    Finding,
    Lookup,
    PciRule,
    RuleInputError,
    Scope,
    about_account,
    bounded,
    compliant,
    integer,
    non_compliant,
)

SUFFIX = " [PCI 12.5.1, 10.7.2]"


@dataclass(frozen=True, slots=True)
class RecorderParameters:
    minimum_retention_days: int = integer(365, 365, 2557)


class ConfigurationRecorder(Lookup[RecorderState]):
    """The customer-managed recorder, its channel and retention. Recorders of services record for those services only."""

    actions = (
        "config:DescribeConfigurationRecorders",
        "config:DescribeConfigurationRecorderStatus",
        "config:DescribeDeliveryChannels",
        "config:DescribeDeliveryChannelStatus",
        "config:DescribeRetentionConfigurations",
    )

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> RecorderState:
        return recorder_state(clients.build_client("config"))


class PciRecorderCoversScope(PciRule):
    """The recorder runs and delivers, covers every type that a rule needs, and its history is kept for a year.

    PCI DSS 4.0.1: 12.5.1 (inventory), 10.7.2 (a control that stops is noticed). 3.2.1: 2.4. Source: AWS Config API reference,
    RecordingGroup, RecordingMode, ConfigurationRecorderStatus, DeliveryChannelStatus, RetentionConfiguration.

    Needed is what a rule of the catalogue (managed rules too) judges on change, which must be CONTINUOUS, and what a rule looks
    up in recorded items. The global IAM types are needed in the home Region, CloudFront's types in us-east-1.

    | recorder | verdict |
    |---|---|
    | none, never started, or off | non-compliant |
    | last status Failure, or Pending for more than 24 h | non-compliant, with AWS's reason |
    | a needed type outside the recording group (list, exclusion, IAM types left out) | non-compliant, names the types |
    | a type that is judged on change recorded DAILY | non-compliant, names the types |
    | no delivery channel; last history, snapshot or notification delivery failed | non-compliant |
    | no history file delivered and the recorder older than 24 h | non-compliant |
    | history kept for less than `MinimumRetentionDays` (365) | non-compliant |
    | all right (no retention configured is AWS's default of seven years) | compliant |
    """

    parameters = RecorderParameters
    lookups = (ConfigurationRecorder,)
    needed_types = staticmethod(needed_types)  # knowledge of this bundle, as settings are: not a fact of the account

    def decide_account(self, parameters: RecorderParameters, facts: Facts) -> Sequence[Finding]:
        state = facts.get(ConfigurationRecorder)
        scope = facts.scope
        needs = {name: need for name, need in self.needed_types().items() if need.applies(scope.region, scope.settings)}
        if not needs:
            raise RuleInputError("it is not known which types the rules need: build the bundle again")
        try:
            problems = list(_problems(state, needs, parameters, scope))
        except UnknownShape as error:
            raise RuleInputError(f"AWS Config's answer cannot be read: {error}") from None
        if not problems:
            kept = f"history is kept {retention_days(state)} days"
            return [about_account(compliant(f"all {len(needs)} types that the rules need are recorded; {kept}"), facts)]
        told = problems[0] if len(problems) == 1 else f"{len(problems)} problems: " + "; ".join(problems)
        return [about_account(non_compliant(bounded(told, MAX_ANNOTATION_CHARACTERS - len(SUFFIX)) + SUFFIX), facts)]


def _problems(state: RecorderState, needs: Mapping[str, Need], parameters: RecorderParameters, scope: Scope) -> Iterator[str]:
    """The most important first."""
    if not state.recorders:
        yield f"no configuration recorder in {scope.region}: nothing is recorded and no rule is triggered; make one"
        return
    yield from stopped(state, scope.now)
    missing, daily = recording_gaps(Recording.of(state.recorders[0]), needs)
    if missing:
        yield f"not recorded: {_named(missing)}"
    if daily:
        yield f"recorded daily, expected continuously: {_named(daily)}"
    yield from undelivered(state, scope.now)
    days = retention_days(state)
    if days < parameters.minimum_retention_days:
        yield f"history is kept {days} days, expected >= {parameters.minimum_retention_days}"


def _named(types: Sequence[str], shown: int = 3) -> str:
    """The first few, without the AWS that all begin with."""
    names = ", ".join(name.removeprefix("AWS::") for name in sorted(types)[:shown])
    return names + (f" and {len(types) - shown} more" if len(types) > shown else "")


lambda_handler = PciRecorderCoversScope.as_lambda_handler()
