"""A workload account of the sample issuer: VPC, tiers, load balancers, containers, database, and its planted mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pci_config.sandbox.server import MotoServer

if TYPE_CHECKING:
    from pci_config.sandbox.organization import Issuer

EGRESS, TLS, LOGS = "PCI_SECURITY_GROUP_EGRESS_LIMITED", "PCI_LISTENER_TLS_ONLY", "PCI_LOAD_BALANCER_LOG_DELIVERED"
CIDRS = {"production": "10.10.0.0/16", "staging": "10.20.0.0/16", "development": "10.30.0.0/16"}
STRONG_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
IN_SCOPE = [{"Key": "pci:scope", "Value": "cde"}]
OPEN = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
REDIRECT = {
    "Type": "redirect",
    "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "Host": "#{host}", "Path": "/#{path}", "StatusCode": "HTTP_301"},
}


def build_workload(server: MotoServer, issuer: Issuer, role: str, region: str) -> None:
    """Build one account. Production is nearly clean, development is not."""
    workload = _Workload(server, issuer, role, region)
    workload.security_groups()
    workload.load_balancers()
    workload.containers()
    workload.database()
    workload.edge()


def tcp(port: int, *cidrs: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr} for cidr in cidrs]}


class _Workload:
    def __init__(self, server: MotoServer, issuer: Issuer, role: str, region: str) -> None:
        self._clients = server.clients(issuer.accounts[role], region)
        self._issuer, self._role, self._region, self._cidr = issuer, role, region, CIDRS[role]
        self._account = issuer.accounts[role]
        self._targets: dict[str, str] = {}
        ec2 = self._client("ec2")
        self._vpc = ec2.create_vpc(CidrBlock=self._cidr)["Vpc"]["VpcId"]
        ec2.create_tags(Resources=[self._vpc], Tags=_tags(Name=f"{role}-payments", **{"pci:scope": "cde"}))
        network = self._cidr.removesuffix(".0.0/16")
        self._subnets = {
            tier: [self._subnet(f"{network}.{number * 10 + zone}.0/24", "ab"[zone], tier) for zone in (0, 1)]
            for number, tier in enumerate(("dmz", "service", "database"))
        }
        (default,) = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [self._vpc]}])["SecurityGroups"]
        ec2.revoke_security_group_egress(GroupId=default["GroupId"], IpPermissions=OPEN)
        ec2.create_tags(Resources=[default["GroupId"]], Tags=IN_SCOPE)

    def _client(self, service: str, region: str | None = None) -> Any:
        return self._clients.build_client(service, region)

    def _plant(self, rule: str, resource_id: str, why: str, fixable: bool = True) -> None:
        self._issuer.plant(self._role, self._region, rule, resource_id, why, fixable)

    def _subnet(self, cidr: str, zone: str, tier: str) -> str:
        made = self._client("ec2").create_subnet(VpcId=self._vpc, CidrBlock=cidr, AvailabilityZone=f"{self._region}{zone}")
        subnet_id = str(made["Subnet"]["SubnetId"])
        self._client("ec2").create_tags(Resources=[subnet_id], Tags=_tags(**{"pci:tier": tier, "pci:scope": "cde"}))
        return subnet_id

    # ------------------------------------------------------------------------------------------------ security groups

    def security_groups(self) -> None:
        right: Mapping[str, list[dict[str, Any]]] = {
            "dmz": [tcp(443, self._cidr)],
            "vpc-link": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": self._cidr}]}],
            "card-api": [tcp(443, "198.51.100.0/27", "198.51.100.32/28")],
            "external-api": [tcp(443, "203.0.113.0/28")],
            "service": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": self._cidr}]}],
            "database": [],
        }
        self._groups = {tier: self._group(f"{tier}-main", tier, egress) for tier, egress in right.items()}
        self._group("batch", None, [tcp(8443, "10.0.0.0/8")])
        if self._role == "production":
            group = self._group("card-api-batch", "card-api", [tcp(443, "198.51.100.0/26")], keep_open=True)
            self._plant(EGRESS, group, "AWS's default allow-all entry was left beside the right one")
        if self._role == "staging":
            group = self._group("external-api-new", "external-api", [tcp(443, "0.0.0.0/1", "128.0.0.0/1")])
            self._plant(EGRESS, group, "the internet in two halves")
            group = self._group("database-replica", "database", [tcp(443, "0.0.0.0/0")])
            self._plant(EGRESS, group, "a database that may call out")
        if self._role == "development":
            group = self._group("playground", None, [], keep_open=True)
            self._plant(EGRESS, group, "no tier, open to everywhere")
            group = self._group("typo", "sevrice", [])
            self._plant(EGRESS, group, "a tier that does not exist", fixable=False)

    def _group(self, name: str, tier: str | None, egress: list[dict[str, Any]], keep_open: bool = False) -> str:
        ec2 = self._client("ec2")
        group_id = str(ec2.create_security_group(GroupName=name, Description=name, VpcId=self._vpc)["GroupId"])
        tags = {"pci:scope": "cde", **({"pci:tier": tier} if tier else {})}
        ec2.create_tags(Resources=[group_id], Tags=_tags(**tags))
        if not keep_open:
            ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=OPEN)
        if egress:
            ec2.authorize_security_group_egress(GroupId=group_id, IpPermissions=egress)
        ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[tcp(443, self._cidr)])
        return group_id

    # ------------------------------------------------------------------------------------------------- load balancers

    def load_balancers(self) -> None:
        archive = f"card-issuer-log-archive-elb-{self._region}"
        public = self._balancer("public-api", "application", archive)
        self._https(public, 443)
        listener = self._listener(public, "HTTP", 80, REDIRECT)
        link = self._balancer("vpc-link", "network", archive, scheme="internal")
        self._tls(link)
        if self._role == "production":
            portal = self._balancer("portal", "application", None)
            self._https(portal, 443)
            self._plant(LOGS, portal, "access logs are off")
            http = self._listener(portal, "HTTP", 80, self._forward(portal))
            self._plant(TLS, http, "serves HTTP although HTTPS is there")
        if self._role == "staging":
            rule = {"Field": "path-pattern", "Values": ["/legacy/*"]}
            self._client("elbv2").create_rule(
                ListenerArn=listener, Priority=10, Conditions=[rule], Actions=[self._forward(public)]
            )
            why = "one path still goes out over HTTP, and the register accepts that for now"
            self._issuer.plant(self._role, self._region, TLS, listener, why, excepted=True)
            old = self._balancer("old-terminals", "application", archive)
            weak = self._https(old, 443, policy="ELBSecurityPolicy-2016-08")
            self._plant(
                TLS, weak, "a policy that takes TLS 1.0: cutting old terminals off is a human's decision", fixable=False
            )
        if self._role == "development":
            self._developers_load_balancers()

    def _developers_load_balancers(self) -> None:
        bucket = "development-team-logs"
        self._client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": self._region})
        self._client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": _tags(**{"pci:scope": "connected"})})
        demo = self._balancer("demo-shop", "application", bucket)
        self._plant(LOGS, demo, "logs go to the team's own bucket: moving them is a human's decision", fixable=False)
        http = self._listener(demo, "HTTP", 80, self._forward(demo))
        self._plant(TLS, http, "HTTP only, no HTTPS listener to redirect to", fixable=False)
        classic = self._client("elb")
        listeners = [{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 8080}]
        classic.create_load_balancer(
            LoadBalancerName="legacy-pos", Listeners=listeners, AvailabilityZones=[f"{self._region}a"], Tags=IN_SCOPE
        )
        for group in self._client("ec2").describe_security_groups()["SecurityGroups"]:
            if group["GroupName"].startswith("default_elb"):
                self._plant(EGRESS, group["GroupId"], "the group that came with the classic load balancer")
        self._plant(LOGS, "legacy-pos", "access logs are off")
        self._plant(TLS, "legacy-pos", "a classic load balancer cannot redirect", fixable=False)
        tunnel = self._balancer("partner-tunnel", "network", f"card-issuer-log-archive-elb-{self._region}", scheme="internal")
        raw = self._listener(tunnel, "TCP", 8443, self._forward(tunnel))
        self._plant(TLS, raw, "TCP passes through, and the port is not listed", fixable=False)

    def _balancer(self, name: str, kind: str, bucket: str | None, scheme: str = "internet-facing") -> str:
        elb = self._client("elbv2")
        made = elb.create_load_balancer(Name=name, Subnets=self._subnets["dmz"], Type=kind, Scheme=scheme, Tags=IN_SCOPE)
        arn = str(made["LoadBalancers"][0]["LoadBalancerArn"])
        attributes = {"access_logs.s3.enabled": "true" if bucket else "false", "access_logs.s3.bucket": bucket or ""}
        pairs = [{"Key": key, "Value": value} for key, value in attributes.items() if value]
        elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=pairs)
        return arn

    def _listener(self, balancer: str, protocol: str, port: int, action: Mapping[str, Any], **more: Any) -> str:
        made = self._client("elbv2").create_listener(
            LoadBalancerArn=balancer, Protocol=protocol, Port=port, DefaultActions=[action], **more
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def _https(self, balancer: str, port: int, policy: str = STRONG_POLICY) -> str:
        return self._listener(
            balancer, "HTTPS", port, self._forward(balancer), SslPolicy=policy, Certificates=self._certificates()
        )

    def _tls(self, balancer: str) -> str:
        return self._listener(
            balancer, "TLS", 443, self._forward(balancer), SslPolicy=STRONG_POLICY, Certificates=self._certificates()
        )

    def _certificates(self) -> list[dict[str, str]]:
        made = self._client("acm").request_certificate(DomainName=f"{self._role}.card-issuer.example")
        return [{"CertificateArn": made["CertificateArn"]}]

    def _forward(self, balancer: str) -> dict[str, str]:
        if balancer not in self._targets:
            name = balancer.split("/")[-2]
            protocol = "HTTP" if ":loadbalancer/app/" in balancer else "TCP"
            made = self._client("elbv2").create_target_group(
                Name=name, Protocol=protocol, Port=8080, VpcId=self._vpc, TargetType="ip"
            )
            self._targets[balancer] = str(made["TargetGroups"][0]["TargetGroupArn"])
        return {"Type": "forward", "TargetGroupArn": self._targets[balancer]}

    # ------------------------------------------------------------------------------------- containers, database, edge

    def containers(self) -> None:
        ecs = self._client("ecs")
        logging = {"logging": "OVERRIDE", "logConfiguration": {"s3BucketName": f"card-issuer-log-archive-app-{self._region}",
                                                               "s3EncryptionEnabled": True}}  # fmt: skip
        recorded: dict[str, Any] = {"logging": "DEFAULT"} if self._role == "development" else logging
        in_scope = [{"key": "pci:scope", "value": "cde"}]
        ecs.create_cluster(clusterName="payments", configuration={"executeCommandConfiguration": recorded}, tags=in_scope)
        router = {
            "name": "log_router", "image": f"{self._account}.dkr.ecr.{self._region}.amazonaws.com/fluent-bit:3",
            "essential": True, "memory": 64, "user": "0", "firelensConfiguration": {"type": "fluentbit"},
        }  # fmt: skip
        to_archive = {
            "logDriver": "awsfirelens",
            "options": {"Name": "firehose", "region": self._region, "delivery_stream": "application-logs"},
        }
        to_group = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/authorization", "awslogs-region": self._region}}
        for service in ("card-api", "external-api", "authorization"):
            astray = self._role == "staging" and service == "authorization"
            definition = {
                "name": service,
                "image": f"{self._account}.dkr.ecr.{self._region}.amazonaws.com/{service}:1",
                "essential": True,
                "memory": 512,
                "user": "10001",
                "logConfiguration": to_group if astray else to_archive,
            }
            made = ecs.register_task_definition(
                family=service, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
                containerDefinitions=[definition, router],
            )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
            group = self._groups["service" if service == "authorization" else service]
            network = {"subnets": self._subnets["service"], "securityGroups": [group], "assignPublicIp": "DISABLED"}
            ecs.create_service(
                cluster="payments", serviceName=service, taskDefinition=made, desiredCount=2, launchType="FARGATE",
                networkConfiguration={"awsvpcConfiguration": network}, tags=in_scope,
            )  # fmt: skip

    def database(self) -> None:
        rds = self._client("rds")
        rds.create_db_subnet_group(
            DBSubnetGroupName="payments", DBSubnetGroupDescription="payments", SubnetIds=self._subnets["database"]
        )
        rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName="payments", DBParameterGroupFamily="aurora-postgresql16", Description="payments"
        )
        values = {"rds.force_ssl": "1", "shared_preload_libraries": "pgaudit", "pgaudit.log": "all"}
        rds.modify_db_cluster_parameter_group(
            DBClusterParameterGroupName="payments",
            Parameters=[
                {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
                for name, value in values.items()
            ],
        )
        rds.create_db_cluster(
            DBClusterParameterGroupName="payments",
            DBClusterIdentifier="payments",
            Engine="aurora-postgresql",
            EngineVersion="16.4",
            MasterUsername="administrator",
            ManageMasterUserPassword=True,
            StorageEncrypted=True,
            DBSubnetGroupName="payments",
            EnableCloudwatchLogsExports=["postgresql"],
            Tags=IN_SCOPE,
        )

    def edge(self) -> None:
        api = self._client("apigateway")
        rest = api.create_rest_api(name=f"{self._role}-cards", endpointConfiguration={"types": ["REGIONAL"]})
        balancers = self._client("elbv2").describe_load_balancers(Names=["vpc-link"])["LoadBalancers"]
        api.create_vpc_link(name="to-services", targetArns=[balancers[0]["LoadBalancerArn"]])
        self._client("apigatewayv2").create_api(Name=f"{self._role}-partners", ProtocolType="HTTP")
        if self._role == "production":
            self._distribution(str(rest["id"]), f"card-issuer-log-archive-app-{self._region}.s3.amazonaws.com")
        if self._role == "staging":
            distribution = self._distribution(str(rest["id"]), None)
            self._issuer.plant("staging", "us-east-1", "PCI_CDN_LOG_DELIVERED", distribution, "no access log", False)

    def _distribution(self, api_id: str, log_bucket: str | None) -> str:
        origin = {
            "Id": "api",
            "DomainName": f"{api_id}.execute-api.{self._region}.amazonaws.com",
            "CustomOriginConfig": {
                "HTTPPort": 80,
                "HTTPSPort": 443,
                "OriginProtocolPolicy": "https-only",
                "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]},
            },
        }
        behaviour = {"TargetOriginId": "api", "ViewerProtocolPolicy": "redirect-to-https", "MinTTL": 0,
                     "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "none"}}}  # fmt: skip
        log = {"Enabled": bool(log_bucket), "IncludeCookies": False, "Bucket": log_bucket or "", "Prefix": "cdn/"}
        made = self._client("cloudfront").create_distribution(
            DistributionConfig={
                "CallerReference": "portal",
                "Comment": "card holder portal",
                "Enabled": True,
                "Origins": {"Quantity": 1, "Items": [origin]},
                "DefaultCacheBehavior": behaviour,
                "Logging": log,
            }
        )
        return str(made["Distribution"]["Id"])


def _tags(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
