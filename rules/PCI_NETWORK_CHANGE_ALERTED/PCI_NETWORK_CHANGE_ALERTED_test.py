"""Decision table of PCI_NETWORK_CHANGE_ALERTED."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from pci_config.network_alert_facts import (
    AlertTopic,
    EventRules,
    EventTargets,
    MetricAlarms,
    MetricFilters,
    TargetExists,
)
from pci_config.network_alerts import Topic
from pci_config.network_changes import CIS
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    LiveFacts,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings
from pci_config.trail_facts import EventSelectors, Trails, TrailStatus
from PCI_NETWORK_CHANGE_ALERTED import AlertParameters, PciNetworkChangeAlerted

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OWN, OTHER, REGION, SECOND = "100000000001", "200000000002", "eu-west-1", "us-east-1"
SETTINGS = Settings(accounts={"management": (OWN,), "production": (OTHER,)}, regions=(REGION, SECOND), home_region=REGION)
TOPIC = f"arn:aws:sns:{REGION}:{OWN}:alerts"
FOREIGN_TOPIC = f"arn:aws:sns:{REGION}:999999999999:alerts"
FUNCTION = f"arn:aws:lambda:{REGION}:{OWN}:function:notify"
QUEUE = f"arn:aws:sqs:{REGION}:{OWN}:changes"
MACHINE = f"arn:aws:states:{REGION}:{OWN}:stateMachine:notify"
BUS = f"arn:aws:events:{REGION}:{OTHER}:event-bus/central"
MANAGEMENT = {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}
GROUPS = tuple(CIS)


def trail(
    name: str = "main", owner: str = OWN, organization: bool = True, multi_region: bool = True, **members: Any
) -> dict[str, Any]:
    home = members.get("HomeRegion", REGION)
    return {
        "Name": name,
        "TrailARN": f"arn:aws:cloudtrail:{home}:{owner}:trail/{name}",
        "HomeRegion": home,
        "IsOrganizationTrail": organization,
        "IsMultiRegionTrail": multi_region,
        "CloudWatchLogsLogGroupArn": f"arn:aws:logs:{home}:{owner}:log-group:{name}:*",
        **members,
    }


def cis(*groups: str, without: tuple[str, ...] = (), also: tuple[str, ...] = ()) -> str:
    names = [name for group in groups or GROUPS for name in CIS[group] if name not in without]
    return "{ " + " || ".join(f"($.eventName = {name})" for name in [*names, *also]) + " }"


def metric_filter(name: str, pattern: str, **members: Any) -> dict[str, Any]:
    metric = {"metricName": name, "metricNamespace": "cis", "metricValue": "1"}
    return {"filterName": name, "filterPattern": pattern, "metricTransformations": [metric], **members}


def filters(**patterns: str) -> list[dict[str, Any]]:
    """One filter per group, as the benchmark has them; `patterns` replaces some."""
    named = {group.replace(" ", "-"): cis(group) for group in GROUPS} | {n.replace("_", "-"): p for n, p in patterns.items()}
    return [metric_filter(name, pattern) for name, pattern in named.items()]


def alarm(**changed: Any) -> dict[str, Any]:
    return {
        "AlarmName": "told",
        "Statistic": "Sum",
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Period": 300,
        "EvaluationPeriods": 1,
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        **changed,
    }


def topic(confirmed: int = 1, **members: Any) -> Topic:
    services = ["cloudwatch.amazonaws.com", "events.amazonaws.com"]
    statement = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sns:Publish", "Resource": TOPIC}
    return Topic(TOPIC, confirmed, members.get("key"), json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def event_rule(name: str = "changes", names: Any = None, state: str = "ENABLED", **members: Any) -> dict[str, Any]:
    wanted = names if names is not None else [name for group in GROUPS for name in CIS[group]]
    detail = {"eventSource": ["ec2.amazonaws.com"], "eventName": wanted}
    pattern = {"source": ["aws.ec2"], "detail-type": ["AWS API Call via CloudTrail"], "detail": detail}
    return {"Name": name, "State": state, "EventPattern": json.dumps(pattern), **members}


def judged(
    *trails: dict[str, Any],
    found: Any = (),
    alarms: Any = None,
    rules: Any = (),
    targets: Any = None,
    known: Any = None,
    scope: Scope | None = None,
    **raw: str,
) -> Finding:
    facts: dict[Any, Any] = {
        (Trails,): list(trails),
        (EventRules,): list(rules),
        (AlertTopic, TOPIC): topic(),
        (AlertTopic, FOREIGN_TOPIC): False,
        (TargetExists, FUNCTION): True,
        (TargetExists, QUEUE): True,
        (TargetExists, MACHINE): False,
        (TargetExists, BUS): None,
    }
    for each in trails:
        facts[TrailStatus, each["TrailARN"]] = {"IsLogging": True}
        facts[EventSelectors, each["TrailARN"]] = MANAGEMENT
        facts[MetricFilters, each["Name"]] = list(found)
    for each in found:
        for metric in each["metricTransformations"]:
            named = metric["metricNamespace"], metric["metricName"]
            facts[(MetricAlarms, *named)] = [alarm()] if alarms is None else alarms
    for each in rules:
        facts[EventTargets, each["Name"]] = [{"Id": "1", "Arn": TOPIC}] if targets is None else targets
    rule = PciNetworkChangeAlerted(SETTINGS)
    place = scope or Scope(OWN, REGION, NOW, SETTINGS)
    (finding,) = rule.decide_account(rule.evaluate_parameters(raw), StatedFacts(place, facts | (known or {})))
    assert (finding.resource_type, finding.resource_id) == ("AWS::::Account", place.account_id)
    return finding


class Case(unittest.TestCase):
    def assert_judged(self, finding: Finding, compliance: str, *told: str) -> None:
        self.assertEqual(finding.compliance, compliance, finding.annotation)
        for each in told:
            self.assertIn(f" {each}", f" {finding.annotation}")
        self.assertLessEqual(len(finding.annotation), 256)
        self.assertEqual(finding.annotation.endswith(" [PCI 10.4.1.1]"), compliance == NON_COMPLIANT)


RULES_ONLY = Topic(TOPIC, 1, None, json.dumps({"Statement": {
    "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": TOPIC}}))  # fmt: skip


class FilterTest(Case):
    def test_filters_as_published_are_compliant_however_they_are_written(self) -> None:
        quoted = {
            group.replace(" ", "_"): cis(group).replace("= ", '="').replace(")", '")').replace(" ||", "||") for group in GROUPS
        }
        newer = f"{{ ($.eventSource = ec2.amazonaws.com) && ({cis('route table')[2:-2]}) }}"
        backwards = "{ " + " || ".join(f"$.eventName = {name}" for name in reversed(CIS["VPC"])) + " }"
        for name, patterns in {
            "plain": {},
            "quoted": quoted,
            "with a source": {"route_table": newer},
            "order": {"VPC": backwards},
        }.items():
            with self.subTest(name):
                self.assert_judged(judged(trail(), found=filters(**patterns)), COMPLIANT, "alert on 36 calls in 5 groups")

    def test_what_counts_beyond_the_benchmark_is_said(self) -> None:
        plain = judged(trail(), found=filters())
        self.assert_judged(
            plain, COMPLIANT, "filter security-group, filter network-ACL and 3 more alert on 36 calls",
            "in 5 groups; not on ModifySecurityGroupRules, AssociateRouteTable (ExtendedEvents)",
        )  # fmt: skip
        extended = filters(
            security_group=cis("security group", also=("ModifySecurityGroupRules",)),
            route_table=cis("route table", also=("AssociateRouteTable",)),
        )
        self.assertNotIn("not on", judged(trail(), found=extended).annotation)
        self.assert_judged(judged(trail(), found=extended, ExtendedEvents="true"), COMPLIANT, "alert on 38 calls")
        self.assert_judged(
            judged(trail(), found=filters(), ExtendedEvents="true"), NON_COMPLIANT,
            "2 gaps; first: security group changes: filter security-group misses ModifySecurityGroupRules",
        )  # fmt: skip

    def test_what_a_filter_misses_is_named(self) -> None:
        misses = filters(route_table=cis("route table", without=("DeleteRoute",)))
        self.assertEqual(
            judged(trail(), found=misses).annotation,
            "route table changes: filter route-table misses DeleteRoute [PCI 10.4.1.1]",
        )
        for pattern, told in (
            ("{ $.eventName = *Route }", "misses CreateRouteTable, ReplaceRouteTableAssociation, DeleteRouteTable and 1 more"),
            (
                f'{{ $.userIdentity.type != "Root" && ({cis("route table")[2:-2]}) }}',
                "misses CreateRoute by Root, CreateRouteTable by Root",
            ),
            (f'{{ $.userIdentity.type = "IAMUser" && ({cis("route table")[2:-2]}) }}', "misses CreateRoute by AssumedRole"),
            (f'{{ $.awsRegion = "{REGION}" && ({cis("route table")[2:-2]}) }}', f"misses CreateRoute in {SECOND}"),
            (f"{{ $.recipientAccountId = {OWN} && ({cis('route table')[2:-2]}) }}", f"misses CreateRoute of account {OTHER}"),
            (f"{{ $.errorCode NOT EXISTS && ({cis('route table')[2:-2]}) }}", None),
            (f"{{ $.userIdentity.invokedBy NOT EXISTS && ({cis('route table')[2:-2]}) }}", None),
            (f'{{ $.userIdentity.invokedBy != "x" && ({cis("route table")[2:-2]}) }}', "nothing alerts on route table changes"),
            ("{ $.eventName = CreateRoutes }", "nothing alerts on route table changes"),
            ("{ $.eventName = %Route% }", None),
        ):
            with self.subTest(pattern):
                finding = judged(trail(), found=filters(route_table=pattern))
                self.assert_judged(finding, NON_COMPLIANT if told else COMPLIANT, told or "36 calls")

    def test_filters_that_cover_a_group_together(self) -> None:
        halves = [
            *filters(route_table=cis("route table", without=("DeleteRoute",))),
            metric_filter("rest", "{ $.eventName = DeleteRoute }"),
        ]
        self.assert_judged(judged(trail(), found=halves), COMPLIANT, "36 calls")
        silent = {(MetricAlarms, "cis", "rest"): []}
        self.assertEqual(
            judged(trail(), found=halves, known=silent).annotation,
            "route table changes: filter rest has no alarm on its metric cis/rest [PCI 10.4.1.1]",
        )

    def test_who_alerts_is_named(self) -> None:
        two = [metric_filter("one", cis(*GROUPS[:3])), metric_filter("two", cis(*GROUPS[3:]))]
        finding = judged(
            trail(), found=[*two, metric_filter("broken", cis("VPC"))], known={(MetricAlarms, "cis", "broken"): []}
        )
        self.assertTrue(finding.annotation.startswith("filter one, filter two alert on 36 calls"), finding.annotation)

    def test_every_link_of_the_chain(self) -> None:
        for name, how, told in (
            ("no alarm", {"alarms": []}, "filter security-group has no alarm on its metric cis/security-group"),
            (
                "threshold",
                {"alarms": [alarm(Threshold=5)]},
                "filter security-group alerts nobody: alarm told has the threshold",
            ),
            ("actions disabled", {"alarms": [alarm(ActionsEnabled=False)]}, "alarm told has its actions disabled"),
            ("no action", {"alarms": [alarm(AlarmActions=[])]}, "alarm told has no action"),
            ("only an OK action", {"alarms": [alarm(AlarmActions=[], OKActions=[TOPIC])]}, "alarm told has no action"),
            ("topic gone", {"known": {(AlertTopic, TOPIC): None}}, "alarm told: topic alerts does not exist"),
            (
                "unconfirmed",
                {"known": {(AlertTopic, TOPIC): topic(0)}},
                "alarm told: topic alerts has no confirmed subscription",
            ),
            (
                "key",
                {"known": {(AlertTopic, TOPIC): topic(key="alias/aws/sns")}},
                "topic alerts is encrypted with alias/aws/sns",
            ),
            (
                "other account's topic",
                {"alarms": [alarm(AlarmActions=[FOREIGN_TOPIC])]},
                f"{FOREIGN_TOPIC} cannot be looked into; if it alerts",
            ),
            ("a function", {"alarms": [alarm(AlarmActions=[FUNCTION])]}, f"{FUNCTION} cannot be looked into"),
            ("no ARN", {"alarms": [alarm(AlarmActions=["x"])]}, "'x' is no ARN"),
            ("short ARN", {"alarms": [alarm(AlarmActions=["arn:aws:sns"])]}, "'arn:aws:sns' is no ARN"),
            ("not even an ARN", {"alarms": [alarm(AlarmActions=["a:b:sns:d:e:f"])]}, "'a:b:sns:d:e:f' is no ARN"),
            (
                "not allowed to publish",
                {"known": {(AlertTopic, TOPIC): RULES_ONLY}},
                "no policy that lets cloudwatch.amazonaws.com publish",
            ),
            (
                "ops item",
                {"alarms": [alarm(AlarmActions=[f"arn:aws:ssm:{REGION}:{OWN}:opsitem:1"])]},
                f"arn:aws:ssm:{REGION}:{OWN}:opsitem:1 cannot be looked into",
            ),
        ):
            with self.subTest(name):
                self.assert_judged(
                    judged(trail(), found=filters(), **how), NON_COMPLIANT, "5 gaps; first: security group changes: ", told
                )

    def test_one_working_alarm_and_one_live_action_are_enough(self) -> None:
        for alarms in ([alarm(ActionsEnabled=False), alarm()], [alarm(AlarmActions=[FOREIGN_TOPIC, TOPIC])]):
            self.assertEqual(judged(trail(), found=filters(), alarms=alarms).compliance, COMPLIANT)
        both = [alarm(AlarmName="first", ActionsEnabled=False), alarm(AlarmName="second", AlarmActions=[])]
        self.assertIn("alarm first has its actions disabled", judged(trail(), found=filters(), alarms=both).annotation)

    def test_filters_that_do_not_count(self) -> None:
        fixed = metric_filter("everything", "{ $.eventSource = ec2.amazonaws.com }")
        self.assert_judged(
            judged(trail(), found=[fixed]), NON_COMPLIANT, "filter everything counts unrelated calls too (DescribeInstances)"
        )
        split = [each | {"emitSystemFieldDimensions": ["@aws.account"]} for each in filters()]
        self.assert_judged(judged(trail(), found=split), NON_COMPLIANT, "filter security-group splits its metric by dimensions")
        terms = [metric_filter("terms", "?CreateRoute ?DeleteRoute"), *filters(route_table="{ $.eventName == CreateRoute }")]
        self.assert_judged(
            judged(trail(), found=terms), NON_COMPLIANT,
            "3 gaps; first: nothing alerts on route table changes",
        )  # fmt: skip
        unread = judged(trail(), found=[metric_filter("terms", "?CreateRoute")])
        self.assert_judged(
            unread, NON_COMPLIANT, "VPC): filter terms does not count: a JSON pattern is enclosed in { } at position 0 [PCI"
        )
        self.assertEqual(judged(trail(), found=[*filters(), metric_filter("terms", "ERROR")]).compliance, COMPLIANT)

    def test_the_trail_delivers_to_the_log_group(self) -> None:
        arn = trail()["TrailARN"]
        for status, told in (
            ({"IsLogging": False}, "filter security-group gets no events: trail main is not logging"),
            ({}, "trail main is not logging"),
            (
                {"IsLogging": True, "LatestCloudWatchLogsDeliveryError": "Access denied"},
                "the last delivery to log group main failed: Access denied",
            ),
        ):
            with self.subTest(told):
                self.assert_judged(judged(trail(), found=filters(), known={(TrailStatus, arn): status}), NON_COMPLIANT, told)
        fine = {"IsLogging": True, "LatestDeliveryError": "x", "LatestCloudWatchLogsDeliveryError": ""}
        self.assertEqual(judged(trail(), found=filters(), known={(TrailStatus, arn): fine}).compliance, COMPLIANT)

    def test_the_trail_records_the_calls(self) -> None:
        arn = trail()["TrailARN"]
        for selectors, verdict, told in (
            (None, COMPLIANT, "36 calls"),
            ({"EventSelectors": [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]}, NON_COMPLIANT, "nothing alerts on network changes"),
            ({"AdvancedEventSelectors": [{"FieldSelectors": [
                {"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "eventName", "NotEquals": ["DeleteRoute"]}]}]},
             NON_COMPLIANT, "filter route-table misses DeleteRoute"),
        ):  # fmt: skip
            with self.subTest(told):
                self.assert_judged(judged(trail(), found=filters(), known={(EventSelectors, arn): selectors}), verdict, told)

    def test_two_trails_two_log_groups(self) -> None:
        first, second = trail(), trail("second")
        known = {(MetricFilters, "main"): filters(route_table="{ $.a = b }"), (MetricFilters, "second"): filters()[3:4]}
        self.assertEqual(judged(first, second, found=filters(), known=known).compliance, COMPLIANT)


class NothingTest(Case):
    def test_why_nothing_alerts(self) -> None:
        local = trail(organization=False, multi_region=False, CloudWatchLogsLogGroupArn=None)
        groups = "security group, network ACL, gateway, route table, VPC"
        for name, trails, known, told in (
            ("no trail", (), {}, "no trail sends events to a log group of this account and Region, and no EventBridge rule"),
            ("no log group", (local,), {}, "no trail sends events to a log group"),
            ("no filters", (trail(),), {}, "no metric filter of log group main and no EventBridge rule matches them"),
            (
                "log group gone",
                (trail(),),
                {(MetricFilters, "main"): None},
                "log group main, to which the trail sends events, does not exist",
            ),
        ):
            with self.subTest(name):
                finding = judged(*trails, known=known)
                self.assert_judged(finding, NON_COMPLIANT, told)
                self.assertTrue(finding.annotation.startswith(f"nothing alerts on network changes ({groups}): "))

    def test_the_gravest_comes_first(self) -> None:
        some = filters(network_ACL="{ $.a = b }", gateway=cis("gateway", without=("CreateCustomerGateway",)))
        finding = judged(trail(), found=some, known={(MetricAlarms, "cis", "security-group"): []})
        self.assertEqual(finding.annotation, "3 gaps; first: nothing alerts on network ACL changes [PCI 10.4.1.1]")
        some = filters(gateway=cis("gateway", without=("CreateCustomerGateway",)))
        finding = judged(trail(), found=some, known={(MetricAlarms, "cis", "VPC"): []})
        self.assertTrue(
            finding.annotation.startswith("2 gaps; first: VPC changes: filter VPC has no alarm"), finding.annotation
        )


class EventRuleTest(Case):
    """The trail has no log group here: only rules on the bus can alert."""

    TRAIL = trail(organization=False, CloudWatchLogsLogGroupArn=None)

    def test_rules_that_alert(self) -> None:
        wide = event_rule("wide", [{"prefix": ""}])
        for name, rules, how in (
            ("one for all", [event_rule()], {}),
            ("one for each group", [event_rule(group, list(CIS[group])) for group in GROUPS], {}),
            ("everything", [wide], {}),
            ("all management events", [event_rule(state="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")], {}),
            ("a function", [event_rule()], {"targets": [{"Id": "1", "Arn": FUNCTION}]}),
            ("a queue beside one that is gone", [event_rule()], {"targets": [{"Id": "1", "Arn": MACHINE}, {"Id": "2", "Arn": QUEUE}]}),
            ("trusted", [event_rule()], {"targets": [{"Id": "1", "Arn": BUS}], "TrustedTargets": f"arn:aws:sns:*,arn:aws:events:*:{OTHER}:event-bus/*"}),
            ("schedules beside it", [event_rule(), {"Name": "nightly", "State": "ENABLED", "ScheduleExpression": "rate(1 day)"}], {}),
        ):  # fmt: skip
            with self.subTest(name):
                self.assert_judged(judged(self.TRAIL, rules=rules, **how), COMPLIANT, "on 36 calls in 5 groups")
        self.assertTrue(
            judged(self.TRAIL, rules=[wide]).annotation.endswith("EventBridge rule wide alerts on 36 calls in 5 groups")
        )

    def test_rules_that_alert_nobody(self) -> None:
        for name, how, told in (
            ("disabled", {"rules": [event_rule(state="DISABLED")]}, "security group changes: EventBridge rule changes is disabled"),
            ("no state", {"rules": [event_rule(State=None)]}, "EventBridge rule changes is not enabled"),
            ("no target", {"targets": []}, "EventBridge rule changes has no target"),
            ("topic gone", {"known": {(AlertTopic, TOPIC): None}}, "rule changes alerts nobody: topic alerts does not exist"),
            ("unconfirmed", {"known": {(AlertTopic, TOPIC): topic(0)}}, "topic alerts has no confirmed subscription"),
            ("not allowed to publish", {"known": {(AlertTopic, TOPIC): DEFAULT_TOPIC}}, "no policy that lets events.amazonaws.com publish"),
            ("state machine gone", {"targets": [{"Id": "1", "Arn": MACHINE}]}, f"alerts nobody: {MACHINE} does not exist"),
            ("other account's bus", {"targets": [{"Id": "1", "Arn": BUS}]}, f"{BUS} cannot be looked into"),
            ("trail stopped", {"known": {(TrailStatus, self.TRAIL["TrailARN"]): {"IsLogging": False}}}, "rule changes gets no events: no trail logs them here"),
        ):  # fmt: skip
            with self.subTest(name):
                self.assert_judged(
                    judged(self.TRAIL, **{"rules": [event_rule()], **how}), NON_COMPLIANT, "5 gaps; first: ", told
                )

    def test_a_role_publishes_without_a_policy(self) -> None:
        known = {(AlertTopic, TOPIC): DEFAULT_TOPIC}
        target = {"Id": "1", "Arn": TOPIC, "RoleArn": f"arn:aws:iam::{OWN}:role/events"}
        self.assertEqual(judged(self.TRAIL, rules=[event_rule()], targets=[target], known=known).compliance, COMPLIANT)

    def test_what_a_rule_misses(self) -> None:
        names = [name for group in GROUPS for name in CIS[group] if name != "DeleteRoute"]
        self.assert_judged(
            judged(self.TRAIL, rules=[event_rule(names=names)]), NON_COMPLIANT, "rule changes misses DeleteRoute"
        )
        rest = event_rule("rest", ["DeleteRoute"])
        self.assertEqual(judged(self.TRAIL, rules=[event_rule(names=names), rest]).compliance, COMPLIANT)
        selectors = {"AdvancedEventSelectors": [{"FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "eventName", "NotEquals": ["DeleteVpc"]}]}]}  # fmt: skip
        known = {(EventSelectors, self.TRAIL["TrailARN"]): selectors}
        self.assert_judged(
            judged(self.TRAIL, rules=[event_rule()], known=known), NON_COMPLIANT, "rule changes misses DeleteVpc"
        )

    def test_what_is_not_understood_does_not_count_and_is_said(self) -> None:
        odd = event_rule("odd", [{"cidr": "10.0.0.0/8"}])
        finding = judged(self.TRAIL, rules=[odd])
        self.assert_judged(finding, NON_COMPLIANT, "VPC): EventBridge rule odd: not understood: operator cidr [PCI")
        two = judged(self.TRAIL, rules=[odd, event_rule("odder", [{"numeric": [">", 1]}])])
        self.assert_judged(two, NON_COMPLIANT, "2 gaps; first: nothing alerts on network changes")
        other = {"Name": "other", "State": "ENABLED", "EventPattern": '{"detail": {"size": [{"numeric": [">", 1]}]}}'}
        self.assertNotIn("not understood", judged(self.TRAIL, rules=[other]).annotation)

    def test_filters_and_rules_together(self) -> None:
        multi = trail(organization=False, multi_region=False)
        rule = event_rule("routes", list(CIS["route table"]))
        self.assertEqual(judged(multi, found=filters(route_table="{ $.a = b }"), rules=[rule]).compliance, COMPLIANT)

    def test_rules_see_only_this_account_and_region(self) -> None:
        finding = judged(trail(), rules=[event_rule()])
        self.assert_judged(finding, NON_COMPLIANT, "EventBridge rule changes misses", f"of account {OTHER}")
        local = judged(trail(), rules=[event_rule()], AlertHome="each-region")
        self.assert_judged(local, COMPLIANT, "EventBridge rule changes alerts on 36 calls")

    def test_an_organization_trail_whose_selectors_are_hidden_feeds_the_bus(self) -> None:
        foreign = trail(owner=OTHER)
        known = {(EventSelectors, foreign["TrailARN"]): None}
        self.assertEqual(judged(foreign, rules=[event_rule()], known=known).compliance, COMPLIANT)


DEFAULT_TOPIC = Topic(TOPIC, 1, None, json.dumps({"Statement": {
    "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "SNS:Publish", "Resource": TOPIC,
    "Condition": {"StringEquals": {"AWS:SourceOwner": OWN}}}}))  # fmt: skip


class HomeTest(Case):
    MEMBER = Scope(OTHER, REGION, NOW, SETTINGS)
    SECOND_REGION = Scope(OWN, SECOND, NOW, SETTINGS)

    def test_elsewhere_the_home_of_the_trail_is_judged(self) -> None:
        for name, scope, trails in (
            ("member account", self.MEMBER, [trail()]),
            ("other Region", self.SECOND_REGION, [trail(organization=False)]),
            ("own narrow trail besides", self.MEMBER, [trail("team", OTHER, organization=False), trail()]),
        ):
            with self.subTest(name):
                finding = judged(*trails, scope=scope)
                self.assert_judged(
                    finding, NOT_APPLICABLE, f"trail main alerts from its log group in account {OWN}, {REGION}; judged there"
                )
                self.assert_judged(judged(*trails, scope=scope, AlertHome="each-region"), NON_COMPLIANT, "nothing alerts")

    def test_own_alerts_are_enough_elsewhere(self) -> None:
        finding = judged(trail(), rules=[event_rule()], targets=[{"Id": "1", "Arn": FUNCTION}], scope=self.MEMBER)
        self.assert_judged(finding, COMPLIANT, "EventBridge rule changes alerts on 36 calls")

    def test_no_home_leaves_it_to_another(self) -> None:
        other_home = trail("other", OTHER, HomeRegion=SECOND)
        finding = judged(trail(), other_home, known={(MetricFilters, "other"): []})
        self.assert_judged(finding, NON_COMPLIANT, "no metric filter of log group main")

    def test_a_home_that_nobody_judges(self) -> None:
        for told, home in (
            ("account 999999999999, eu-west-1", trail(owner="999999999999")),
            (f"account {OWN}, ap-south-1", trail(HomeRegion="ap-south-1")),
        ):
            with self.subTest(told):
                finding = judged(home, scope=self.MEMBER)
                self.assert_judged(
                    finding, NON_COMPLIANT, f"trail main alerts from {told}, which rdk.json does not name: nobody judges it"
                )

    def test_an_organization_trail_without_log_group_alerts_nowhere(self) -> None:
        finding = judged(trail(CloudWatchLogsLogGroupArn=None), scope=self.MEMBER)
        self.assert_judged(finding, NON_COMPLIANT, "no trail sends events to a log group of this account and Region")

    def test_a_home_covers_what_its_trail_covers(self) -> None:
        for name, narrow in (("$.recipientAccountId", OWN), ("$.awsRegion", REGION)):
            patterns = {g.replace(" ", "_"): f"{{ {name} = {narrow} && ({cis(g)[2:-2]}) }}" for g in GROUPS}
            for organization, multi_region in ((True, True), (True, False), (False, True), (False, False)):
                with self.subTest(name=name, organization=organization, multi_region=multi_region):
                    finding = judged(trail(organization=organization, multi_region=multi_region), found=filters(**patterns))
                    narrow_is_enough = not (organization if name == "$.recipientAccountId" else multi_region)
                    self.assertEqual(finding.compliance == COMPLIANT, narrow_is_enough, finding.annotation)


class InputTest(Case):
    def test_parameters(self) -> None:
        rule = PciNetworkChangeAlerted()
        self.assertEqual(rule.evaluate_parameters({}), AlertParameters(False, "trail", 3600, ()))
        for raw in (
            {"AlertHome": "home"}, {"MaxSilenceSeconds": "59"}, {"MaxSilenceSeconds": "86401"}, {"ExtendedEvents": "yes"},
            {"TrustedTargets": "alerts"}, {"Topics": TOPIC},
        ):  # fmt: skip
            with self.subTest(raw), self.assertRaises(ParameterError):
                rule.evaluate_parameters(raw)
        for seconds, verdict in (("300", COMPLIANT), ("299", NON_COMPLIANT), ("60", NON_COMPLIANT), ("86400", COMPLIANT)):
            self.assertEqual(judged(trail(), found=filters(), MaxSilenceSeconds=seconds).compliance, verdict)
        trusted = {"alarms": [alarm(AlarmActions=[FOREIGN_TOPIC])], "found": filters()}
        self.assertEqual(judged(trail(), **trusted, TrustedTargets=FOREIGN_TOPIC).compliance, COMPLIANT)
        self.assertEqual(judged(trail(), **trusted, TrustedTargets=f"{FOREIGN_TOPIC}-2").compliance, NON_COMPLIANT)

    def test_a_trail_that_does_not_say_is_no_verdict(self) -> None:
        for name in ("TrailARN", "HomeRegion", "IsOrganizationTrail", "IsMultiRegionTrail"):
            broken = {key: value for key, value in trail().items() if key != name}
            facts = StatedFacts(Scope(OWN, REGION, NOW, SETTINGS), {
                (Trails,): [broken], (EventRules,): [], (MetricFilters, "main"): [],
                (TrailStatus, trail()["TrailARN"]): {}, (EventSelectors, trail()["TrailARN"]): MANAGEMENT})  # fmt: skip
            with self.subTest(name), self.assertRaises(RuleInputError):
                PciNetworkChangeAlerted(SETTINGS).decide_account(AlertParameters(), facts)
        with self.assertRaisesRegex(RuleInputError, "is no ARN of a log group"):
            judged(trail(CloudWatchLogsLogGroupArn="main"))

    def test_what_the_rule_asks_of_aws(self) -> None:
        actions = {action for lookup in PciNetworkChangeAlerted.lookups for action in lookup.actions}
        self.assertEqual(actions, {
            "cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus", "cloudtrail:GetEventSelectors", "logs:DescribeMetricFilters",
            "cloudwatch:DescribeAlarmsForMetric", "events:ListRules", "events:ListTargetsByRule", "sns:GetTopicAttributes",
            "sns:ListSubscriptionsByTopic", "lambda:GetFunctionConfiguration", "sqs:GetQueueUrl", "states:DescribeStateMachine"})  # fmt: skip

    def test_a_snapshot_cannot_tell(self) -> None:
        facts = RecordedFacts(SimpleNamespace(find=lambda *key: []), Scope(OWN, REGION, NOW, SETTINGS))
        with self.assertRaises(NotAssessed):
            PciNetworkChangeAlerted(SETTINGS).decide_account(AlertParameters(), facts)


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


class LiveTest(Case):
    SCOPE = Scope("123456789012", REGION, NOW, SETTINGS)

    @mock_aws
    def test_filters_alarms_and_topics(self) -> None:
        clients = Clients()
        logs, cloudwatch, sns = (clients.build_client(name) for name in ("logs", "cloudwatch", "sns"))
        logs.create_log_group(logGroupName="trail")
        metric = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
        logs.put_metric_filter(
            logGroupName="trail", filterName="f", filterPattern="{ $.a = b }", metricTransformations=[metric]
        )
        arn = sns.create_topic(Name="t")["TopicArn"]
        cloudwatch.put_metric_alarm(
            AlarmName="a", MetricName="m", Namespace="n", Statistic="Sum", Period=300, EvaluationPeriods=1, Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold", AlarmActions=[arn],
        )  # fmt: skip
        facts = LiveFacts(clients, self.SCOPE)
        (found,) = facts.get(MetricFilters, "trail") or ()
        self.assertEqual((found["filterName"], found["filterPattern"]), ("f", "{ $.a = b }"))
        self.assertEqual(found["metricTransformations"], [metric])
        (told,) = facts.get(MetricAlarms, "n", "m")
        self.assertEqual((told["AlarmName"], told["AlarmActions"], told["ActionsEnabled"]), ("a", [arn], True))
        self.assertEqual(facts.get(MetricAlarms, "n", "other"), [])
        first = facts.get(AlertTopic, arn)
        assert isinstance(first, Topic)
        self.assertEqual((first.arn, first.confirmed, first.key), (arn, 0, None))
        sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="team@card-issuer.example")
        second = LiveFacts(clients, self.SCOPE).get(AlertTopic, arn)
        assert isinstance(second, Topic)
        self.assertEqual(second.confirmed, 1)
        self.assertIsNone(facts.get(AlertTopic, arn + "x"))

    def test_a_subscription_that_waits_does_not_count(self) -> None:
        client = boto3.client("sns", REGION)
        facts = LiveFacts(SimpleNamespace(build_client=lambda service, region=None: client), self.SCOPE)
        arn = f"arn:aws:sns:{REGION}:123456789012:t"
        with Stubber(client) as stub:
            stub.add_response(
                "get_topic_attributes", {"Attributes": {"Policy": "{}", "KmsMasterKeyId": "k"}}, {"TopicArn": arn}
            )
            arns = ("PendingConfirmation", "Deleted", f"{arn}:1")
            stub.add_response("list_subscriptions_by_topic", {"Subscriptions": [{"SubscriptionArn": a} for a in arns]})
            self.assertEqual(facts.get(AlertTopic, arn), Topic(arn, 1, "k", "{}"))

    def test_what_cannot_be_seen_is_not_what_does_not_exist(self) -> None:
        for service, lookup, key, operation, code, expected in (
            ("sns", AlertTopic, TOPIC, "get_topic_attributes", "AuthorizationError", False),
            ("sns", AlertTopic, f"arn:aws:sns:{REGION}:123456789012:t", "get_topic_attributes", "AuthorizationError", ClientError),
            ("sns", AlertTopic, TOPIC, "get_topic_attributes", "Throttled", ClientError),
            ("sns", AlertTopic, TOPIC, "get_topic_attributes", "NotFound", None),
            ("logs", MetricFilters, "g", "describe_metric_filters", "ResourceNotFoundException", None),
            ("logs", MetricFilters, "g", "describe_metric_filters", "AccessDeniedException", ClientError),
            ("lambda", TargetExists, f"arn:aws:lambda:{REGION}:123456789012:function:f", "get_function_configuration", "AccessDeniedException", ClientError),
        ):  # fmt: skip
            client = boto3.client(service, REGION)
            facts = LiveFacts(SimpleNamespace(build_client=lambda service, region=None, found=client: found), self.SCOPE)
            with self.subTest(code=code, key=key), Stubber(client) as stub:
                stub.add_client_error(operation, code)
                if expected is ClientError:
                    with self.assertRaises(ClientError):
                        facts.get(lookup, key)
                else:
                    self.assertIs(facts.get(lookup, key), expected)

    @mock_aws
    def test_rules_and_targets(self) -> None:
        events = boto3.client("events", REGION)
        events.put_rule(Name="r", EventPattern='{"source": ["aws.ec2"]}')
        events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": TOPIC}])
        facts = LiveFacts(Clients(), self.SCOPE)
        (rule,) = facts.get(EventRules)
        self.assertEqual(
            (rule["Name"], rule["State"], json.loads(rule["EventPattern"])), ("r", "ENABLED", {"source": ["aws.ec2"]})
        )
        (target,) = facts.get(EventTargets, "r")
        self.assertEqual(target["Arn"], TOPIC)

    @mock_aws
    def test_whether_a_target_exists(self) -> None:
        clients, own = Clients(), f"{REGION}:123456789012"
        iam, sqs, states = (clients.build_client(name) for name in ("iam", "sqs", "stepfunctions"))
        trust = {"Version": "2012-10-17", "Statement": []}
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        sqs.create_queue(QueueName="q")
        states.create_state_machine(name="m", roleArn=role, definition='{"StartAt": "a", "States": {"a": {"Type": "Succeed"}}}')
        clients.build_client("lambda").create_function(
            FunctionName="f", Runtime="python3.13", Role=role, Handler="f.h", Code={"ZipFile": b"x"}
        )
        facts = LiveFacts(clients, self.SCOPE)
        for arn, expected in (
            (f"arn:aws:lambda:{own}:function:f", True),
            (f"arn:aws:lambda:{own}:function:g", False),
            (f"arn:aws:sqs:{own}:q", True),
            (f"arn:aws:sqs:{own}:p", False),
            (f"arn:aws:states:{own}:stateMachine:m", True),
            (f"arn:aws:states:{own}:stateMachine:n", False),
            (f"arn:aws:logs:{own}:log-group:g", None),
            (f"arn:aws:sqs:{REGION}:{OTHER}:q", None),
        ):
            with self.subTest(arn):
                self.assertIs(facts.get(TargetExists, arn), expected)


if __name__ == "__main__":
    unittest.main()
