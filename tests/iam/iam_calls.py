"""Maps recorded boto3 calls to what IAM decides on: action, resource ARN and context.

Source: Service Authorization Reference, as carried by the iam-data package that the simulator uses; an action or a resource
type that does not exist is refused there. An operation that is not in the table fails the test that recorded it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Call:
    """One AWS call as recorded: boto3's service name, the API's operation, its parameters, where it went."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    account_id: str
    region: str


@dataclass(frozen=True)
class Request:
    action: str
    resource: str
    account: str
    context: Mapping[str, str | tuple[str, ...]]


def _s3(action: str) -> Callable[[Call], Request]:
    def request(call: Call) -> Request:
        arn = f"arn:aws:s3:::{call.parameters['Bucket']}"
        if "Key" in call.parameters:
            arn += f"/{call.parameters['Key']}"
        owner = call.parameters.get("ExpectedBucketOwner", call.account_id)
        return Request(action, arn, owner, {"s3:ResourceAccount": owner})

    return request


def _at(action: str, resource: Callable[[Mapping[str, Any], Call], str]) -> Callable[[Call], Request]:
    def request(call: Call) -> Request:
        arn = resource(call.parameters, call)
        return Request(action, arn, arn.split(":")[4] or call.account_id, {})

    return request


def _any(action: str) -> Callable[[Call], Request]:
    return lambda call: Request(action, "*", call.account_id, {})


def _ec2(kind: str, parameter: str) -> Callable[[Mapping[str, Any], Call], str]:
    return lambda p, call: f"arn:aws:ec2:{call.region}:{call.account_id}:{kind}/{p[parameter]}"


def _domain_name(parameter: str) -> Callable[[Mapping[str, Any], Call], str]:
    return lambda p, call: f"arn:aws:apigateway:{call.region}::/domainnames/{p[parameter]}"


def _distribution(parameters: Mapping[str, Any], call: Call) -> str:
    return f"arn:aws:cloudfront::{call.account_id}:distribution/{parameters['Id']}"


def _update_distribution(call: Call) -> list[Request]:
    """CloudFront verifies that the caller may read the web ACL, also when it stays the same."""
    found = [_at("cloudfront:UpdateDistribution", _distribution)(call)]
    web_acl = call.parameters["DistributionConfig"].get("WebACLId")
    if web_acl:
        found.append(_at("wafv2:GetWebACL", lambda *_: str(web_acl))(call))
    return found


def _classic(parameters: Mapping[str, Any], call: Call) -> str:
    return f"arn:aws:elasticloadbalancing:{call.region}:{call.account_id}:loadbalancer/{parameters['LoadBalancerName']}"


def _trail(action: str, parameter: str) -> Callable[[Call], Request]:
    return _at(f"cloudtrail:{action}", lambda p, _: str(p[parameter]))


def _update_trail(call: Call) -> list[Request]:
    """CloudTrail reads the organization for an organization trail, and is passed the role."""
    found = [
        _trail("UpdateTrail", "Name")(call),
        _any("organizations:DescribeOrganization")(call),
        _any("organizations:ListAWSServiceAccessForOrganization")(call),
    ]
    role = call.parameters.get("CloudWatchLogsRoleArn")
    if role:
        context = {"iam:PassedToService": "cloudtrail.amazonaws.com"}
        found.append(Request("iam:PassRole", role, call.account_id, context))
    return found


def _create_flow_logs(call: Call) -> list[Request]:
    """On the VPC and the new flow log; tags it; the S3 delivery is CloudWatch Logs' (Amazon VPC user guide)."""
    made = f"arn:aws:ec2:{call.region}:{call.account_id}:vpc-flow-log/fl-0123456789abcdef0"
    tags = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in call.parameters["TagSpecifications"][0]["Tags"]}
    return [
        *(
            Request("ec2:CreateFlowLogs", f"arn:aws:ec2:{call.region}:{call.account_id}:vpc/{name}", call.account_id, {})
            for name in call.parameters["ResourceIds"]
        ),
        Request("ec2:CreateFlowLogs", made, call.account_id, tags),
        Request("ec2:CreateTags", made, call.account_id, {"ec2:CreateAction": "CreateFlowLogs", **tags}),
        _any("logs:CreateLogDelivery")(call),
    ]


def _delete_flow_logs(call: Call) -> list[Request]:
    tags = {"aws:ResourceTag/pci:created-by": "PciConfig-EnableFlowLogs/00000000-0000-4000-8000-000000000000"}
    return [
        *(
            Request("ec2:DeleteFlowLogs", f"arn:aws:ec2:{call.region}:{call.account_id}:vpc-flow-log/{name}", call.account_id, tags)
            for name in call.parameters["FlowLogIds"]
        ),
        _any("logs:DeleteLogDelivery")(call),
    ]  # fmt: skip


def _log_group(action: str) -> Callable[[Call], Request]:
    return _at(action, lambda p, call: f"arn:aws:logs:{call.region}:{call.account_id}:log-group:{p['logGroupName']}")


def _alarms(action: str, parameter: str) -> Callable[[Call], list[Request]]:
    """On each alarm that is named; on all where none is."""

    def requests(call: Call) -> list[Request]:
        named = call.parameters.get(parameter, "*")
        arn = f"arn:aws:cloudwatch:{call.region}:{call.account_id}:alarm"
        return [
            Request(action, f"{arn}:{name}", call.account_id, {}) for name in ([named] if isinstance(named, str) else named)
        ]

    return requests


def _service_role(call: Call, service: str, role: str) -> Request:
    """AWS creates its service-linked role in the caller's name."""
    arn = f"arn:aws:iam::{call.account_id}:role/aws-service-role/{service}/{role}"
    return Request("iam:CreateServiceLinkedRole", arn, call.account_id, {"iam:AWSServiceName": service})


def _web_acl(action: str, parameter: str = "ResourceArn") -> Callable[[Call], Request]:
    return _at(f"wafv2:{action}", lambda p, _: str(p[parameter]))


def _put_logging(call: Call) -> list[Request]:
    """WAF developer guide: what the caller needs so that WAF can set up the delivery to a bucket, stream or log group."""
    logging = call.parameters["LoggingConfiguration"]
    actions = ["firehose:ListDeliveryStreams", "logs:CreateLogDelivery", "logs:DeleteLogDelivery"]
    if ":log-group:" in logging["LogDestinationConfigs"][0]:
        actions += ["logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"]
    return [
        Request("wafv2:PutLoggingConfiguration", logging["ResourceArn"], call.account_id, {}),
        *(_any(action)(call) for action in actions),
        _service_role(call, "wafv2.amazonaws.com", "AWSServiceRoleForWAFV2Logging"),
    ]


def _rds(action: str, kind: str, parameter: str | None = None) -> Callable[[Call], Request]:
    """Without a parameter: a listing, which is decided on every resource of the kind."""
    return _at(
        f"rds:{action}",
        lambda p, call: f"arn:aws:rds:{call.region}:{call.account_id}:{kind}:{p[parameter] if parameter else '*'}",
    )


def _put_subscription(call: Call) -> list[Request]:
    context = {"iam:PassedToService": "logs.amazonaws.com"}
    role = Request("iam:PassRole", call.parameters["roleArn"], call.account_id, context)
    return [_log_group("logs:PutSubscriptionFilter")(call), role]


def _stage(action: str, call: Call, more: str = "") -> Request:
    p = {name.lower(): value for name, value in call.parameters.items()}
    path = f"restapis/{p['restapiid']}" if "restapiid" in p else f"apis/{p['apiid']}"
    arn = f"arn:aws:apigateway:{call.region}::/{path}/stages/{p['stagename']}{more}"
    return Request(f"apigateway:{action}", arn, call.account_id, {})


def _update_stage(call: Call) -> list[Request]:
    """API Gateway makes its role for a stream; for HTTP and WebSocket APIs it changes the delivery in the caller's name."""
    found = [
        _stage("PATCH", call),
        _service_role(call, "ops.apigateway.amazonaws.com", "AWSServiceRoleForAPIGateway"),
    ]
    if call.service == "apigatewayv2":
        actions = ["CreateLogDelivery", "DeleteLogDelivery", "GetLogDelivery", "ListLogDeliveries", "UpdateLogDelivery"]
        if ":log-group:" in call.parameters["AccessLogSettings"]["DestinationArn"]:
            actions += ["DescribeLogGroups", "DescribeResourcePolicies", "PutResourcePolicy"]
        found += [_any(f"logs:{action}")(call) for action in actions]
    return found


def _repository(action: str) -> Callable[[Call], Request]:
    def arn(p: Mapping[str, Any], call: Call) -> str:
        name = p.get("repositoryName") or p["repositoryNames"][0]
        return f"arn:aws:ecr:{call.region}:{call.account_id}:repository/{name}"

    return _at(f"ecr:{action}", arn)


def _put_registry_scanning(call: Call) -> list[Request]:
    """Amazon ECR calls Amazon Inspector for the caller; that scans where enhanced scanning is on."""
    found = [_any("ecr:PutRegistryScanningConfiguration")(call)]
    if call.parameters["scanType"] == "ENHANCED":
        found += [_any("inspector2:Enable")(call), _any("inspector2:ListAccountPermissions")(call)]
    return found


def _hub(action: str) -> Callable[[Call], Request]:
    return _at(f"securityhub:{action}", lambda _, call: f"arn:aws:securityhub:{call.region}:{call.account_id}:hub/default")


def _enable_security_hub(call: Call) -> list[Request]:
    """Security Hub makes its service-linked role for the caller."""
    name = "aws-service-role/securityhub.amazonaws.com/AWSServiceRoleForSecurityHub"
    role = f"arn:aws:iam::{call.account_id}:role/{name}"
    context = {"iam:AWSServiceName": "securityhub.amazonaws.com"}
    return [_hub("EnableSecurityHub")(call), Request("iam:CreateServiceLinkedRole", role, call.account_id, context)]


def _recorders(action: str) -> Callable[[Call], Request]:
    """A call that names no recorder asks for each."""

    def request(call: Call) -> Request:
        arn = f"arn:aws:config:{call.region}:{call.account_id}:configuration-recorder/default/aaaabbbbcccc0001"
        return Request(f"config:{action}", arn, call.account_id, {"aws:ResourceAccount": call.account_id})

    return request


def _recorder(action: str) -> Callable[[Call], Request]:
    def arn(p: Mapping[str, Any], call: Call) -> str:
        name = p.get("ConfigurationRecorderName") or p["ConfigurationRecorder"]["name"]
        return f"arn:aws:config:{call.region}:{call.account_id}:configuration-recorder/{name}/aaaabbbbcccc0001"

    return _at(f"config:{action}", arn)


def _put_recorder(call: Call) -> list[Request]:
    context = {"iam:PassedToService": "config.amazonaws.com"}
    role = call.parameters["ConfigurationRecorder"]["roleARN"]
    return [_recorder("PutConfigurationRecorder")(call), Request("iam:PassRole", role, call.account_id, context)]


TABLE: dict[tuple[str, str], Callable[[Call], Request | list[Request]]] = {
    ("apigateway", "GetStage"): lambda call: _stage("GET", call),
    ("apigateway", "UpdateStage"): _update_stage,
    ("apigatewayv2", "GetStage"): lambda call: _stage("GET", call),
    ("apigatewayv2", "UpdateStage"): _update_stage,
    ("apigatewayv2", "DeleteAccessLogSettings"): lambda call: _stage("DELETE", call, "/accesslogsettings"),
    ("apigateway", "GetDomainNames"): _at("apigateway:GET", lambda _, call: f"arn:aws:apigateway:{call.region}::/domainnames"),
    ("apigateway", "UpdateDomainName"): _at("apigateway:PATCH", _domain_name("domainName")),
    ("apigatewayv2", "GetDomainName"): _at("apigateway:GET", _domain_name("DomainName")),
    ("apigatewayv2", "UpdateDomainName"): _at("apigateway:PATCH", _domain_name("DomainName")),
    ("cloudfront", "GetDistribution"): _at("cloudfront:GetDistribution", _distribution),
    ("cloudfront", "GetVpcOrigin"): _at(
        "cloudfront:GetVpcOrigin", lambda p, call: f"arn:aws:cloudfront::{call.account_id}:vpcorigin/{p['Id']}"
    ),
    ("cloudfront", "ListTagsForResource"): _at("cloudfront:ListTagsForResource", lambda p, _: str(p["Resource"])),
    ("cloudfront", "UpdateDistribution"): _update_distribution,
    ("cloudtrail", "DescribeTrails"): _any("cloudtrail:DescribeTrails"),
    ("cloudtrail", "GetTrailStatus"): _trail("GetTrailStatus", "Name"),
    ("cloudtrail", "GetEventSelectors"): _trail("GetEventSelectors", "TrailName"),
    ("cloudtrail", "ListTags"): _at("cloudtrail:ListTags", lambda p, _: str(p["ResourceIdList"][0])),
    ("cloudtrail", "PutEventSelectors"): _trail("PutEventSelectors", "TrailName"),
    ("cloudtrail", "StartLogging"): _trail("StartLogging", "Name"),
    ("cloudtrail", "StopLogging"): _trail("StopLogging", "Name"),
    ("cloudtrail", "UpdateTrail"): _update_trail,
    ("ec2", "AuthorizeSecurityGroupEgress"): _at("ec2:AuthorizeSecurityGroupEgress", _ec2("security-group", "GroupId")),
    ("ec2", "AuthorizeSecurityGroupIngress"): _at("ec2:AuthorizeSecurityGroupIngress", _ec2("security-group", "GroupId")),
    ("cloudwatch", "DeleteAlarms"): _alarms("cloudwatch:DeleteAlarms", "AlarmNames"),
    ("cloudwatch", "DescribeAlarms"): _alarms("cloudwatch:DescribeAlarms", "AlarmNames"),
    ("cloudwatch", "DescribeAlarmsForMetric"): _any("cloudwatch:DescribeAlarmsForMetric"),
    ("cloudwatch", "PutMetricAlarm"): _alarms("cloudwatch:PutMetricAlarm", "AlarmName"),
    ("ec2", "CreateFlowLogs"): _create_flow_logs,
    ("ec2", "DeleteFlowLogs"): _delete_flow_logs,
    ("ec2", "DescribeFlowLogs"): _any("ec2:DescribeFlowLogs"),
    ("config", "DescribeConfigurationRecorderStatus"): _recorders("DescribeConfigurationRecorderStatus"),
    ("config", "DescribeConfigurationRecorders"): _recorders("DescribeConfigurationRecorders"),
    ("config", "DescribeDeliveryChannelStatus"): _any("config:DescribeDeliveryChannelStatus"),
    ("config", "DescribeDeliveryChannels"): _any("config:DescribeDeliveryChannels"),
    ("config", "DescribeRetentionConfigurations"): _any("config:DescribeRetentionConfigurations"),
    ("config", "ListTagsForResource"): _at("config:ListTagsForResource", lambda p, _: str(p["ResourceArn"])),
    ("config", "PutConfigurationRecorder"): _put_recorder,
    ("config", "PutRetentionConfiguration"): _any("config:PutRetentionConfiguration"),
    ("config", "StartConfigurationRecorder"): _recorder("StartConfigurationRecorder"),
    ("config", "StopConfigurationRecorder"): _recorder("StopConfigurationRecorder"),
    ("dynamodb", "Query"): _at(
        "dynamodb:Query", lambda p, call: f"arn:aws:dynamodb:{call.region}:{call.account_id}:table/{p['TableName']}"
    ),
    ("ec2", "DescribeSecurityGroups"): _any("ec2:DescribeSecurityGroups"),
    ("ec2", "DescribeVpcs"): _any("ec2:DescribeVpcs"),
    ("ec2", "GetManagedPrefixListEntries"): _at("ec2:GetManagedPrefixListEntries", _ec2("prefix-list", "PrefixListId")),
    ("ec2", "RevokeSecurityGroupEgress"): _at("ec2:RevokeSecurityGroupEgress", _ec2("security-group", "GroupId")),
    ("ec2", "RevokeSecurityGroupIngress"): _at("ec2:RevokeSecurityGroupIngress", _ec2("security-group", "GroupId")),
    ("ecr", "DescribeRepositories"): _repository("DescribeRepositories"),
    ("ecr", "GetRegistryScanningConfiguration"): _any("ecr:GetRegistryScanningConfiguration"),
    ("ecr", "ListTagsForResource"): _at("ecr:ListTagsForResource", lambda p, _: str(p["resourceArn"])),
    ("ecr", "PutImageScanningConfiguration"): _repository("PutImageScanningConfiguration"),
    ("ecr", "PutImageTagMutability"): _repository("PutImageTagMutability"),
    ("ecr", "PutRegistryScanningConfiguration"): _put_registry_scanning,
    ("elbv2", "DescribeTags"): _any("elasticloadbalancing:DescribeTags"),
    ("elb", "DescribeTags"): _any("elasticloadbalancing:DescribeTags"),
    ("elbv2", "DescribeListeners"): _any("elasticloadbalancing:DescribeListeners"),
    ("elbv2", "DescribeRules"): _any("elasticloadbalancing:DescribeRules"),
    ("elbv2", "ModifyListener"): _at("elasticloadbalancing:ModifyListener", lambda p, _: str(p["ListenerArn"])),
    ("elbv2", "ModifyRule"): _at("elasticloadbalancing:ModifyRule", lambda p, _: str(p["RuleArn"])),
    ("elbv2", "DescribeLoadBalancerAttributes"): _any("elasticloadbalancing:DescribeLoadBalancerAttributes"),
    ("elb", "DescribeLoadBalancerAttributes"): _any("elasticloadbalancing:DescribeLoadBalancerAttributes"),
    ("elbv2", "ModifyLoadBalancerAttributes"): _at(
        "elasticloadbalancing:ModifyLoadBalancerAttributes", lambda p, _: str(p["LoadBalancerArn"])
    ),
    ("firehose", "DescribeDeliveryStream"): _at(
        "firehose:DescribeDeliveryStream",
        lambda p, call: f"arn:aws:firehose:{call.region}:{call.account_id}:deliverystream/{p['DeliveryStreamName']}",
    ),
    ("logs", "DescribeSubscriptionFilters"): _log_group("logs:DescribeSubscriptionFilters"),
    ("logs", "DescribeAccountPolicies"): _any("logs:DescribeAccountPolicies"),
    ("logs", "CreateLogGroup"): _log_group("logs:CreateLogGroup"),
    ("logs", "PutSubscriptionFilter"): _put_subscription,
    ("logs", "DeleteSubscriptionFilter"): _log_group("logs:DeleteSubscriptionFilter"),
    ("rds", "DescribeDBClusters"): _rds("DescribeDBClusters", "cluster"),
    ("rds", "DescribeDBInstances"): _rds("DescribeDBInstances", "db"),
    ("rds", "DescribeDBClusterParameters"): _rds("DescribeDBClusterParameters", "cluster-pg", "DBClusterParameterGroupName"),
    ("rds", "DescribeDBParameters"): _rds("DescribeDBParameters", "pg", "DBParameterGroupName"),
    ("rds", "DescribeOptionGroups"): _rds("DescribeOptionGroups", "og", "OptionGroupName"),
    ("rds", "ModifyDBCluster"): _rds("ModifyDBCluster", "cluster", "DBClusterIdentifier"),
    ("rds", "ModifyDBInstance"): _rds("ModifyDBInstance", "db", "DBInstanceIdentifier"),
    ("wafv2", "ListWebACLs"): _any("wafv2:ListWebACLs"),
    ("wafv2", "GetLoggingConfiguration"): _web_acl("GetLoggingConfiguration"),
    ("wafv2", "ListTagsForResource"): _web_acl("ListTagsForResource", "ResourceARN"),
    ("wafv2", "PutLoggingConfiguration"): _put_logging,
    ("wafv2", "DeleteLoggingConfiguration"): _web_acl("DeleteLoggingConfiguration"),
    ("elb", "ModifyLoadBalancerAttributes"): _at("elasticloadbalancing:ModifyLoadBalancerAttributes", _classic),
    ("elbv2", "DescribeSSLPolicies"): _any("elasticloadbalancing:DescribeSSLPolicies"),
    ("elb", "DescribeLoadBalancers"): _any("elasticloadbalancing:DescribeLoadBalancers"),
    ("elb", "DescribeLoadBalancerPolicies"): _any("elasticloadbalancing:DescribeLoadBalancerPolicies"),
    ("elb", "CreateLoadBalancerPolicy"): _at("elasticloadbalancing:CreateLoadBalancerPolicy", _classic),
    ("elb", "SetLoadBalancerPoliciesOfListener"): _at("elasticloadbalancing:SetLoadBalancerPoliciesOfListener", _classic),
    ("elb", "DeleteLoadBalancerPolicy"): _at("elasticloadbalancing:DeleteLoadBalancerPolicy", _classic),
    ("logs", "DeleteMetricFilter"): _log_group("logs:DeleteMetricFilter"),
    ("logs", "DescribeMetricFilters"): _log_group("logs:DescribeMetricFilters"),
    ("logs", "PutMetricFilter"): _log_group("logs:PutMetricFilter"),
    ("iam", "GetAccountPasswordPolicy"): _any("iam:GetAccountPasswordPolicy"),
    ("iam", "GetAccountAuthorizationDetails"): _any("iam:GetAccountAuthorizationDetails"),
    ("iam", "GetUser"): _at("iam:GetUser", lambda p, call: f"arn:aws:iam::{call.account_id}:user/{p['UserName']}"),
    ("iam", "RemoveUserFromGroup"): _at(
        "iam:RemoveUserFromGroup", lambda p, call: f"arn:aws:iam::{call.account_id}:group/{p['GroupName']}"
    ),
    ("iam", "UpdateAccountPasswordPolicy"): _any("iam:UpdateAccountPasswordPolicy"),
    ("iam", "DeleteAccountPasswordPolicy"): _any("iam:DeleteAccountPasswordPolicy"),
    ("s3", "GetBucketVersioning"): _s3("s3:GetBucketVersioning"),
    ("s3", "GetBucketTagging"): _s3("s3:GetBucketTagging"),
    ("s3", "GetBucketLifecycleConfiguration"): _s3("s3:GetLifecycleConfiguration"),
    ("s3", "PutBucketLifecycleConfiguration"): _s3("s3:PutLifecycleConfiguration"),
    ("s3", "DeleteBucketLifecycle"): _s3("s3:PutLifecycleConfiguration"),
    ("s3", "HeadBucket"): lambda _: [],  # without credentials: IAM is not asked
    ("s3", "PutObject"): _s3("s3:PutObject"),
    ("s3", "GetObject"): _s3("s3:GetObject"),
    ("sns", "GetTopicAttributes"): _at("sns:GetTopicAttributes", lambda p, _: str(p["TopicArn"])),
    ("sns", "ListSubscriptionsByTopic"): _at("sns:ListSubscriptionsByTopic", lambda p, _: str(p["TopicArn"])),
    ("securityhub", "BatchDisableStandards"): _hub("BatchDisableStandards"),
    ("securityhub", "BatchEnableStandards"): _hub("BatchEnableStandards"),
    ("securityhub", "DescribeHub"): _hub("DescribeHub"),
    ("securityhub", "DescribeStandards"): _hub("DescribeStandards"),
    ("securityhub", "DisableSecurityHub"): _hub("DisableSecurityHub"),
    ("securityhub", "EnableSecurityHub"): _enable_security_hub,
    ("securityhub", "GetEnabledStandards"): _hub("GetEnabledStandards"),
    ("securityhub", "ListTagsForResource"): _hub("ListTagsForResource"),
    ("ssm", "GetParameter"): _at(
        "ssm:GetParameter", lambda p, call: f"arn:aws:ssm:{call.region}:{call.account_id}:parameter{p['Name']}"
    ),
    ("events", "PutEvents"): lambda call: Request(
        "events:PutEvents",
        f"arn:aws:events:{call.region}:{call.account_id}:event-bus/default",
        call.account_id,
        {"events:source": tuple(entry["Source"] for entry in call.parameters["Entries"])},
    ),
}


def requests_of(calls: Sequence[Call]) -> list[Request]:
    """Each different request that the calls lead to. Raises KeyError for an operation that is not in the table."""
    found: dict[Request, None] = {}
    for call in calls:
        made = TABLE[call.service, call.operation](call)
        for request in made if isinstance(made, list) else [made]:
            found[Request(request.action, request.resource, request.account, _Frozen(request.context))] = None
    return list(found)


class _Frozen(dict[str, str | tuple[str, ...]]):
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


def simulated(policy: Mapping[str, Any], principal: str, requests: Sequence[Request]) -> list[dict[str, Any]]:
    """The simulator's verdict on each request: {"result": "Allowed" | "ImplicitlyDenied" | …, "wildcardOnly": bool}."""
    payload = {
        "policy": policy,
        "principal": principal,
        "requests": [
            {"action": r.action, "resource": r.resource, "account": r.account, "context": dict(r.context)} for r in requests
        ],
    }
    run = subprocess.run(
        ["node", str(FOLDER / "simulate.mjs")], input=json.dumps(payload), capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise RuntimeError(run.stderr)
    verdicts: list[dict[str, Any]] = json.loads(run.stdout)
    return verdicts


def substituted(policy: Mapping[str, Any], **values: str) -> dict[str, Any]:
    """The policy with its Fn::Sub placeholders filled in."""
    text = json.dumps(policy)
    for name, value in {"AWS::Partition": "aws", **values}.items():
        text = text.replace("${" + name + "}", value)
    loaded: dict[str, Any] = json.loads(text)
    return loaded
