"""Where the sample issuer's logs go: streams, subscriptions, stages, web ACLs, flow logs, shells, and what goes astray."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pci_config.rdk_json import RdkJson
    from pci_config.sandbox.organization import Issuer
    from pci_config.sandbox.server import MotoServer

WORKLOADS = ("production", "staging", "development")
FORMAT = json.dumps(
    {
        "requestId": "$context.requestId",
        "caller": "$context.identity.userArn",
        "time": "$context.requestTime",
        "status": "$context.status",
        "source": "$context.identity.sourceIp",
        "path": "$context.path",
    }
)
PREFERENCES = "SSM-SessionManagerRunShell"
VISIBLE = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "requests"}


def archive(purpose: str, region: str) -> str:
    return f"card-issuer-log-archive-{purpose}-{region}"


def build(server: MotoServer, issuer: Issuer, rdk_json: RdkJson) -> None:
    """Everything that logs in every account. Development is careless."""
    settings = rdk_json.settings
    for role in issuer.accounts:
        for region in settings.regions:
            _shell(server, issuer, role, region, settings.home_region)
            if role == "development" and region != settings.home_region:
                _forgotten_vpc(server, issuer, role, region)
    for role in WORKLOADS:
        area = _Logs(server, issuer, role, settings.home_region)
        area.streams()
        area.stages()
        area.web_acl()
        area.flow_logs()
        area.database()
        area.card_files()


def _shell(server: MotoServer, issuer: Issuer, role: str, region: str, home: str) -> None:
    """Session Manager's preferences, account by account and Region by Region: nobody wants to miss one."""
    account = issuer.accounts[role]
    if role == "development" and region == home:
        issuer.plant(role, region, "PCI_SHELL_LOG_DELIVERED", account, "Session Manager was never configured", False)
        return
    timeout = "60" if role == "staging" and region == home else "15"
    inputs = {"s3BucketName": archive("app", home), "s3EncryptionEnabled": True, "idleSessionTimeout": timeout}
    content = {"schemaVersion": "1.0", "sessionType": "Standard_Stream", "inputs": inputs}
    ssm = server.clients(account, region).build_client("ssm")
    ssm.create_document(Name=PREFERENCES, Content=json.dumps(content), DocumentType="Session", DocumentFormat="JSON")
    if timeout == "60":
        issuer.plant(role, region, "PCI_SHELL_LOG_DELIVERED", account, "idle sessions stay open for an hour", False)


def _forgotten_vpc(server: MotoServer, issuer: Issuer, role: str, region: str) -> None:
    for vpc in server.clients(issuer.accounts[role], region).build_client("ec2").describe_vpcs()["Vpcs"]:
        why = "the forgotten default VPC has no flow log"
        issuer.plant(role, region, "PCI_FLOW_LOG_DELIVERED", vpc["VpcId"], why)


class _Logs:
    """The logs of one workload account."""

    def __init__(self, server: MotoServer, issuer: Issuer, role: str, region: str) -> None:
        self._clients = server.clients(issuer.accounts[role], region)
        self._issuer, self._role, self._region = issuer, role, region
        self._account = issuer.accounts[role]

    def _client(self, service: str) -> Any:
        return self._clients.build_client(service)

    def _plant(self, rule: str, resource_id: str, why: str, fixable: bool = False) -> None:
        self._issuer.plant(self._role, self._region, rule, resource_id, why, fixable)

    def _stream_arn(self, name: str) -> str:
        return f"arn:aws:firehose:{self._region}:{self._account}:deliverystream/{name}"

    def _role_arn(self, name: str) -> str:
        return f"arn:aws:iam::{self._account}:role/{name}"

    def streams(self) -> None:
        """Firehose streams into the archive; the tasks' own log groups were made with the tasks."""
        targets = {"amazon-apigateway-cards": "api", "application-logs": "app", "aws-waf-logs-public": "waf"}
        buckets = {name: archive(purpose, self._region) for name, purpose in targets.items()}
        if self._role == "staging":
            buckets["amazon-apigateway-partners"] = "card-issuer-staging-logs"
        for name, bucket in buckets.items():
            self._client("firehose").create_delivery_stream(
                DeliveryStreamName=name,
                ExtendedS3DestinationConfiguration={
                    "RoleARN": self._role_arn("firehose"),
                    "BucketARN": f"arn:aws:s3:::{bucket}",
                },
            )
        if self._role == "staging":
            ecs = self._client("ecs")
            services = ecs.describe_services(cluster="payments", services=["authorization"])["services"]
            why = "logs stay in a log group that nothing is subscribed to"
            self._plant("PCI_TASK_LOG_DELIVERED", services[0]["taskDefinition"], why)
            self._client("logs").create_log_group(logGroupName="/ecs/authorization")
        if self._role == "development":
            arn = f"arn:aws:ecs:{self._region}:{self._account}:cluster/payments"
            self._plant("PCI_SHELL_LOG_DELIVERED", arn.rpartition("/")[2], "ECS Exec logs to the tasks' own group only")

    def stages(self) -> None:
        rest = self._client("apigateway")
        api = next(a["id"] for a in rest.get_rest_apis()["items"] if a["name"] == f"{self._role}-cards")
        top = rest.get_resources(restApiId=api)["items"][0]["id"]
        rest.put_method(restApiId=api, resourceId=top, httpMethod="GET", authorizationType="AWS_IAM")
        rest.put_integration(restApiId=api, resourceId=top, httpMethod="GET", type="MOCK")
        deployment = rest.create_deployment(restApiId=api)["id"]
        rest.create_stage(restApiId=api, stageName="prod", deploymentId=deployment)
        arn = f"arn:aws:apigateway:{self._region}::/restapis/{api}/stages/prod"
        if self._role == "development":
            self._plant("PCI_API_LOG_DELIVERED", arn, "no access log", fixable=True)
        else:
            log_format = FORMAT if self._role == "production" else "$context.requestId $context.status"
            settings = {"destinationArn": self._stream_arn("amazon-apigateway-cards"), "format": log_format}
            changes = [
                {"op": "replace", "path": f"/accessLogSettings/{name}", "value": value} for name, value in settings.items()
            ]
            rest.update_stage(restApiId=api, stageName="prod", patchOperations=changes)
            if self._role == "staging":
                self._plant(
                    "PCI_API_LOG_DELIVERED", arn, "the format does not say who called, when, from where and what", fixable=True
                )
        http = self._client("apigatewayv2")
        partners = next(a["ApiId"] for a in http.get_apis()["Items"] if a["Name"] == f"{self._role}-partners")
        stream = "amazon-apigateway-partners" if self._role == "staging" else "amazon-apigateway-cards"
        http.create_stage(
            ApiId=partners,
            StageName="$default",
            AutoDeploy=True,
            AccessLogSettings={"DestinationArn": self._stream_arn(stream), "Format": FORMAT},
        )
        if self._role == "staging":
            arn = f"arn:aws:apigateway:{self._region}::/apis/{partners}/stages/$default"
            self._plant("PCI_API_LOG_DELIVERED", arn, "the stream ends in a team's own bucket")

    def web_acl(self) -> None:
        wafv2 = self._client("wafv2")
        made = wafv2.create_web_acl(Name="public", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=VISIBLE)
        arn = made["Summary"]["ARN"]
        if self._role == "development":
            self._plant("PCI_WAF_LOG_DELIVERED", arn, "logging is off", fixable=True)
            return
        configuration: dict[str, Any] = {
            "ResourceArn": arn,
            "LogDestinationConfigs": [self._stream_arn("aws-waf-logs-public")],
            "RedactedFields": [{"SingleHeader": {"Name": "authorization"}}],
        }
        if self._role == "staging":
            conditions = [{"ActionCondition": {"Action": "BLOCK"}}]
            dropping = {"Behavior": "DROP", "Requirement": "MEETS_ANY", "Conditions": conditions}
            configuration["LoggingFilter"] = {"DefaultBehavior": "KEEP", "Filters": [dropping]}
            self._plant("PCI_WAF_LOG_DELIVERED", arn, "a filter drops what was blocked", fixable=True)
        wafv2.put_logging_configuration(LoggingConfiguration=configuration)

    def database(self) -> None:
        """The audit log of the payments cluster; its parameter group was made with it."""
        cluster = self._client("rds").describe_db_clusters(DBClusterIdentifier="payments")["DBClusters"][0]
        group = "/aws/rds/cluster/payments/postgresql"
        self._client("logs").create_log_group(logGroupName=group)
        if self._role == "staging":
            why = "exported, but nothing is subscribed to the log group"
            self._plant("PCI_DATABASE_LOG_DELIVERED", cluster["DbClusterResourceId"], why, fixable=True)
            return
        self._subscribe(group)

    def _subscribe(self, group: str) -> None:
        self._client("logs").put_subscription_filter(
            logGroupName=group,
            filterName="archive",
            filterPattern="",
            destinationArn=self._stream_arn("application-logs"),
            roleArn=self._role_arn("pci-config-logs-to-firehose"),
        )

    def flow_logs(self) -> None:
        self._client("iam").create_role(
            RoleName="pci-config-logs-to-firehose", AssumeRolePolicyDocument=_trust("logs", self._account)
        )
        self._client("iam").create_role(RoleName="flow-logs", AssumeRolePolicyDocument=_trust("vpc-flow-logs", self._account))
        self._client("logs").create_log_group(logGroupName="vpc-flow-logs")
        self._subscribe("vpc-flow-logs")
        traffic = "REJECT" if self._role == "staging" else "ALL"
        for vpc in self._client("ec2").describe_vpcs()["Vpcs"]:
            self._client("ec2").create_flow_logs(
                ResourceIds=[vpc["VpcId"]],
                ResourceType="VPC",
                TrafficType=traffic,
                LogGroupName="vpc-flow-logs",
                DeliverLogsPermissionArn=self._role_arn("flow-logs"),
            )
            if traffic != "ALL":
                self._plant("PCI_FLOW_LOG_DELIVERED", vpc["VpcId"], "accepted traffic is not recorded", fixable=True)

    def card_files(self) -> None:
        s3 = self._client("s3")
        name = f"card-issuer-card-files-{self._role}"
        where = {"LocationConstraint": self._region}
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "pci:scope", "Value": "cde"}]})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        if self._role == "staging":
            self._plant("PCI_BUCKET_LOG_DELIVERED", name, "card files whose access nobody records")
            return
        target = f"card-issuer-access-logs-{self._role}"
        s3.create_bucket(Bucket=target, CreateBucketConfiguration=where)
        s3.put_bucket_tagging(Bucket=target, Tagging={"TagSet": [{"Key": "pci:scope", "Value": "connected"}]})
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{target}/*",
            "Condition": {"StringEquals": {"aws:SourceAccount": self._account}},
        }
        s3.put_bucket_policy(Bucket=target, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        s3.put_bucket_logging(
            Bucket=name, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "card-files/"}}
        )


def _trust(service: str, account: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
