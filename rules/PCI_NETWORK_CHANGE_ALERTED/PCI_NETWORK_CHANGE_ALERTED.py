"""PCI_NETWORK_CHANGE_ALERTED: somebody is told of every change to the network's controls."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.event_pattern import evaluate
from pci_config.network_alert_facts import (
    ALERT_LOOKUPS,
    AlertTopic,
    EventRules,
    EventTargets,
    MetricAlarms,
    MetricFilters,
    TargetExists,
)
from pci_config.network_alert_filters import FilterJudge
from pci_config.network_alert_topics import topic_fault
from pci_config.network_alerts import ALARMS, RULES, Alert, gaps
from pci_config.network_changes import (
    API_CALL,
    EXTENDED,
    Call,
    bus_event,
    calls,
    event_names,
    log_group_name,
    log_group_place,
    places_left_to,
    recorded_by,
    width,
)
from pci_config.rule import (
    Facts,
    Finding,
    PciRule,
    RuleInputError,
    about_account,
    bounded,
    choice,
    compliant,
    counted,
    flag,
    integer,
    non_compliant,
    not_applicable,
    words,
)
from pci_config.trail import MalformedTrailError, member
from pci_config.trail_facts import EventSelectors, Trails, TrailStatus

SUFFIX = " [PCI 10.4.1.1]"
Trail = Mapping[str, Any]
Groups = Mapping[str, Sequence[Call]]


@dataclass(frozen=True, slots=True)
class AlertParameters:
    extended_events: bool = flag(False)
    alert_home: str = choice("trail", ("trail", "each-region"))
    max_silence_seconds: int = integer(3600, 60, 86400)
    trusted_targets: tuple[str, ...] = words(pattern=r"arn:[^\s,]+", expected="ARNs or patterns, separated by commas")


class PciNetworkChangeAlerted(PciRule):
    """Every call that changes security groups, network ACLs, gateways, route tables or VPCs alerts somebody.

    PCI DSS 4.0.1: 1.2.2, 10.4.1.1, 11.5.2. 3.2.1: 1.1.1, 10.6, 11.5. Source: CloudTrail user guide, "Creating CloudWatch alarms
    for CloudTrail events"; CloudWatch Logs user guide, filter patterns; EventBridge user guide, event patterns.

    | every call of the five groups is seen by | and reaches somebody when |
    |---|---|
    | a metric filter of a trail's log group | the trail delivers there; one event sets off an alarm that acts on a live topic |
    | an EventBridge rule of this account and Region | a trail logs here; the rule is enabled and has a live target |

    | account and Region | verdict |
    |---|---|
    | all calls are seen, by one filter or rule or by several together | compliant |
    | else, `AlertHome` is trail, and a wider trail than any here alerts from elsewhere | not applicable, judged there |
    | else | non-compliant, names what nothing alerts on, what alerts nobody, and what a filter misses |

    Patterns are evaluated on the calls as CloudTrail records them, by each kind of caller; at the home of a trail also from
    every account and Region that the trail covers, since they leave it to the home. With `AlertHome` each-region each account
    and Region must alert by itself (EventBridge rules). A topic is live when it exists, has a confirmed subscription, and lets
    the service publish (its policy; not with AWS's own key); a target also when it is a function, queue or state machine of
    this account that exists, or one of `TrustedTargets`. An alarm that is on is silent: for `MaxSilenceSeconds` at most.
    `ExtendedEvents` adds calls that the CIS benchmark leaves out. Not looked into: composite alarms, filter policies of
    subscriptions, policies of keys, functions.
    """

    parameters = AlertParameters
    lookups = (Trails, TrailStatus, EventSelectors, *ALERT_LOOKUPS)

    def decide_account(self, parameters: AlertParameters, facts: Facts) -> Sequence[Finding]:
        try:
            finding = _Judge(parameters, facts).finding()
        except MalformedTrailError as error:
            raise RuleInputError(str(error)) from None
        return [about_account(finding, facts)]


class _Judge:
    """One look at an account and Region."""

    def __init__(self, parameters: AlertParameters, facts: Facts) -> None:
        self._parameters, self._facts, self._scope = parameters, facts, facts.scope
        self._trails = facts.get(Trails)
        self._here = [trail for trail in self._trails if log_group_place(trail) == (self._scope.account_id, self._scope.region)]
        self._unread: list[str] = []
        around, home = _LookedUp(facts, self._target_fault), (self._scope.account_id, self._scope.region)
        self._judge = FilterJudge(around, home, parameters.max_silence_seconds)

    def finding(self) -> Finding:
        names = event_names(self._parameters.extended_events)
        groups = self._calls(names)
        extra = {} if self._parameters.extended_events else self._calls(EXTENDED, only_here=True)
        every = [call for part in (*groups.values(), *extra.values()) for call in part]
        seen = [alert for trail in self._here for alert in self._judge.alerts(trail, every)]
        self._unread += self._judge.unread
        alerts = [*seen, *self._rules(every)]
        problems = gaps(groups, alerts)
        if not problems:
            count = sum(map(len, names.values()))
            return compliant(f"{_named(alerts)} on {count} calls in {len(groups)} groups{_unseen(extra, alerts)}")
        home = self._judged_elsewhere()
        if home is not None:
            return home
        if len(problems) == len(groups) and not any(alert.sees for alert in alerts):
            reason = self._unread.pop(0) if self._unread else self._why_nothing()
            problems = [f"nothing alerts on network changes ({', '.join(groups)}): {reason}"]
        return non_compliant(counted(problems + self._unread, "gap", SUFFIX))

    # ------------------------------------------------------------------------------------------------------- what to see

    def _calls(self, names: Mapping[str, Sequence[str]], only_here: bool = False) -> Groups:
        """What must be seen here: at a trail's home also what the other accounts and Regions leave to it."""
        settings, trails = self._scope.settings, self._here if self._parameters.alert_home == "trail" else []
        every = sorted({account for ids in settings.accounts.values() for account in ids})
        accounts, regions = places_left_to([] if only_here else trails, every, settings.regions)
        home = self._scope.account_id, self._scope.region
        return {group: calls(listed, home, accounts, regions) for group, listed in names.items()}

    def _judged_elsewhere(self) -> Finding | None:
        """The verdict where a wider trail than any that alerts from here has its log group in another place."""
        if self._parameters.alert_home != "trail":
            return None
        widest = max((width(trail) for trail in self._here), default=(False, False))
        for trail in sorted(self._trails, key=width, reverse=True):
            place = log_group_place(trail)
            if place is None or trail in self._here or (self._here and width(trail) <= widest):
                continue
            account, region = place
            name, settings = member(trail, "Name", str), self._scope.settings
            if not any(account in ids for ids in settings.accounts.values()) or region not in settings.regions:
                unjudged = (
                    f"trail {name} alerts from account {account}, {region}, which rdk.json does not name: nobody judges it"
                )
                return non_compliant(counted([f"{unjudged}; name it there, or alert from here"], "gap", SUFFIX))
            return not_applicable(f"trail {name} alerts from its log group in account {account}, {region}; judged there")
        return None

    def _why_nothing(self) -> str:
        groups = sorted({log_group_name(trail) for trail in self._here})
        if not groups:
            return "no trail sends events to a log group of this account and Region, and no EventBridge rule matches them"
        missing = [group for group in groups if self._facts.get(MetricFilters, group) is None]
        if missing:
            return f"log group {missing[0]}, to which the trail sends events, does not exist"
        return f"no metric filter of log group {groups[0]} and no EventBridge rule matches them"

    # --------------------------------------------------------------------------------------------------- EventBridge rules

    def _rules(self, wanted: Sequence[Call]) -> Iterator[Alert]:
        here = self._scope.account_id, self._scope.region
        local = [call for call in wanted if (call.account_id, call.region) == here]
        recorded: frozenset[Call] | None = None
        for rule in self._facts.get(EventRules):
            pattern = rule.get("EventPattern")
            if not pattern:
                continue
            outcomes = {call: evaluate(pattern, bus_event(call.event)) for call in local}
            unread = sorted({what for outcome in outcomes.values() for what in outcome.unread})
            if unread and API_CALL in pattern:
                self._unread.append(f"EventBridge rule {rule.get('Name')}: not understood: {unread[0]}")
            sees = frozenset(call for call, outcome in outcomes.items() if outcome.matched)
            if sees:
                recorded = self._recorded_here(local) if recorded is None else recorded
                fault = "gets no events: no trail logs them here" if sees.isdisjoint(recorded) else self._rule_fault(rule)
                yield Alert(f"EventBridge rule {rule.get('Name')}", sees if fault else sees & recorded, fault)

    def _recorded_here(self, local: Sequence[Call]) -> frozenset[Call]:
        """EventBridge has only calls that a trail, wherever its log files go, records."""
        found: set[Call] = set()
        for trail in self._trails:
            arn = member(trail, "TrailARN", str)
            if self._facts.get(TrailStatus, arn).get("IsLogging") is True:
                selectors = self._facts.get(EventSelectors, arn)
                found |= {call for call in local if recorded_by(trail, selectors, call)}
        return frozenset(found)

    def _rule_fault(self, rule: Mapping[str, Any]) -> str | None:
        if not str(rule.get("State")).startswith("ENABLED"):
            return f"is {str(rule.get('State') or 'not enabled').lower()}"
        targets = self._facts.get(EventTargets, str(rule.get("Name")))
        if not targets:
            return "has no target"
        faults = [self._target_fault(str(target["Arn"]), RULES, bool(target.get("RoleArn"))) for target in targets]
        return None if None in faults else f"alerts nobody: {faults[0]}"

    # ---------------------------------------------------------------------------------------------------------- who is told

    def _target_fault(self, arn: str, publisher: str, by_role: bool = False) -> str | None:
        """Why an action or target reaches nobody. With a role of its own, a target needs no policy that lets the service in."""
        if any(fnmatch.fnmatchcase(arn, pattern) for pattern in self._parameters.trusted_targets):
            return None
        parts = arn.split(":", 5)
        if len(parts) < 6 or parts[0] != "arn":
            return f"{arn!r} is no ARN"
        hidden = f"{bounded(arn, 90)} cannot be looked into; if it alerts somebody, name it in TrustedTargets"
        if parts[2] == "sns":
            topic = self._facts.get(AlertTopic, arn)
            if isinstance(topic, bool):
                return hidden
            fault = topic_fault(topic, publisher, self._scope.account_id, by_role)
            return f"topic {parts[5]} {fault}" if fault else None
        exists = self._facts.get(TargetExists, arn) if publisher == RULES else None
        if exists is None:
            return hidden
        return None if exists else f"{bounded(arn, 90)} does not exist"


class _LookedUp:
    """`AlertSurroundings` answered by lookups."""

    def __init__(self, facts: Facts, target_fault: Callable[[str, str], str | None]) -> None:
        self._facts, self._target_fault = facts, target_fault

    def status(self, trail_arn: str) -> Mapping[str, Any]:
        return self._facts.get(TrailStatus, trail_arn)

    def selectors(self, trail_arn: str) -> Mapping[str, Any] | None:
        return self._facts.get(EventSelectors, trail_arn)

    def filters(self, log_group: str) -> Sequence[Mapping[str, Any]]:
        return self._facts.get(MetricFilters, log_group) or ()

    def alarms(self, namespace: str, metric: str) -> Sequence[Mapping[str, Any]]:
        return self._facts.get(MetricAlarms, namespace, metric)

    def action_fault(self, arn: str) -> str | None:
        return self._target_fault(arn, ALARMS)


def _named(alerts: Sequence[Alert]) -> str:
    names = list(dict.fromkeys(alert.name for alert in alerts if alert.fault is None))
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more + (" alerts" if len(names) == 1 else " alert")


def _unseen(extra: Groups, alerts: Sequence[Alert]) -> str:
    """Calls beyond the benchmark's that nothing sees: no fault unless asked for, but to be said."""
    names = dict.fromkeys(
        call.name
        for group in extra.values()
        for call in group
        if not any(call in alert.sees for alert in alerts if alert.fault is None)
    )
    return f"; not on {', '.join(names)} (ExtendedEvents)" if names else ""


lambda_handler = PciNetworkChangeAlerted.as_lambda_handler()
