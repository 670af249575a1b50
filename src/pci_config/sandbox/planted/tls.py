"""Encryption in transit of the sample issuer: distribution, APIs and their domain names, databases, with their mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pci_config.rdk_json import RdkJson
    from pci_config.sandbox.organization import Issuer
    from pci_config.sandbox.server import MotoServer

WORKLOADS = ("production", "staging", "development")
API, CDN, DATABASE = "PCI_API_TLS_ONLY", "PCI_CDN_TLS_ONLY", "PCI_DATABASE_TLS_ONLY"
CDN_REGION = "us-east-1"  # AWS Config records distributions there
API_POLICY = "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"


def build(server: MotoServer, issuer: Issuer, rdk_json: RdkJson) -> None:
    """Production is right; the others show one mistake for each way in."""
    for role in WORKLOADS:
        area = _Transit(server, issuer, role, rdk_json.settings.home_region)
        area.distribution()
        area.apis()
        area.domain_names()
        if role == "development":
            area.forgotten_database()


class _Transit:
    """What one workload account offers to the network."""

    def __init__(self, server: MotoServer, issuer: Issuer, role: str, region: str) -> None:
        self._clients = server.clients(issuer.accounts[role], region)
        self._issuer, self._role, self._region = issuer, role, region
        self._account = issuer.accounts[role]

    def _client(self, service: str) -> Any:
        return self._clients.build_client(service)

    def _plant(self, rule: str, resource_id: str, why: str, region: str = "", fixable: bool = False) -> None:
        self._issuer.plant(self._role, region or self._region, rule, resource_id, why, fixable)

    def _certificate(self, region: str) -> str:
        return f"arn:aws:acm:{region}:{self._account}:certificate/portal"

    def distribution(self) -> None:
        """They were built with CloudFront's own certificate."""
        cloudfront = self._client("cloudfront")
        for summary in cloudfront.list_distributions()["DistributionList"].get("Items", []):
            if self._role != "production":
                self._plant(CDN, summary["Id"], "CloudFront's own certificate accepts TLS 1.0", CDN_REGION)
                continue
            found = cloudfront.get_distribution_config(Id=summary["Id"])
            own = {
                "CloudFrontDefaultCertificate": False,
                "ACMCertificateArn": self._certificate(CDN_REGION),
                "SSLSupportMethod": "sni-only",
                "MinimumProtocolVersion": "TLSv1.2_2021",
            }
            config = {**found["DistributionConfig"], "ViewerCertificate": own}
            cloudfront.update_distribution(Id=summary["Id"], IfMatch=found["ETag"], DistributionConfig=config)

    def apis(self) -> None:
        """A Regional API has TLS 1.0 until somebody chooses better."""
        gateway = self._client("apigateway")
        for api in gateway.get_rest_apis()["items"]:
            if self._role == "development":
                arn = f"arn:aws:apigateway:{self._region}::/restapis/{api['id']}"
                self._plant(API, arn, "nobody chose a security policy, and the default takes TLS 1.0")
                continue
            change = {"op": "replace", "path": "/securityPolicy", "value": API_POLICY}
            gateway.update_rest_api(restApiId=api["id"], patchOperations=[change])

    def domain_names(self) -> None:
        old = "TLS_1_0" if self._role == "staging" else "TLS_1_2"
        cards = f"cards.{self._role}.card-issuer.example"
        self._client("apigateway").create_domain_name(
            domainName=cards,
            regionalCertificateArn=self._certificate(self._region),
            endpointConfiguration={"types": ["REGIONAL"]},
            securityPolicy=old,
        )
        old_partners = "TLS_1_0" if self._role == "development" else "TLS_1_2"
        partners = f"partners.{self._role}.card-issuer.example"
        configuration = {
            "CertificateArn": self._certificate(self._region),
            "EndpointType": "REGIONAL",
            "SecurityPolicy": old_partners,
        }
        self._client("apigatewayv2").create_domain_name(DomainName=partners, DomainNameConfigurations=[configuration])
        if old == "TLS_1_0":
            self._plant(API, cards, "a domain name kept at TLS 1.0 for old terminals", fixable=True)
        if old_partners == "TLS_1_0":
            self._plant(API, self._account, "a domain name that AWS Config does not record, at TLS 1.0")

    def forgotten_database(self) -> None:
        """The payments cluster has rds.force_ssl in its group; this instance was made with one that says nothing of it."""
        rds, ec2 = self._client("rds"), self._client("ec2")
        rds.create_db_parameter_group(
            DBParameterGroupName="reports", DBParameterGroupFamily="postgres14", Description="reports"
        )
        audited = {"ParameterName": "log_statement", "ParameterValue": "all", "ApplyMethod": "immediate"}
        rds.modify_db_parameter_group(DBParameterGroupName="reports", Parameters=[audited])
        groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["database-main"]}])
        made = rds.create_db_instance(
            DBInstanceIdentifier="reports",
            DBInstanceClass="db.t4g.medium",
            Engine="postgres",
            EngineVersion="14.13",
            AllocatedStorage=20,
            MasterUsername="administrator",
            ManageMasterUserPassword=True,
            StorageEncrypted=True,
            DBParameterGroupName="reports",
            DBSubnetGroupName="payments",
            VpcSecurityGroupIds=[groups["SecurityGroups"][0]["GroupId"]],
            Tags=[{"Key": "pci:scope", "Value": "connected"}, {"Key": "pci:tier", "Value": "database"}],
        )
        instance_id = made["DBInstance"]["DbiResourceId"]
        self._plant(DATABASE, instance_id, "PostgreSQL 14 takes clear text unless its group says otherwise")
        why = "it exports its audit log nowhere"
        self._issuer.plant(self._role, self._region, "PCI_DATABASE_LOG_DELIVERED", instance_id, why, True)
