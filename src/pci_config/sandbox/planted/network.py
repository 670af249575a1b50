"""The network of the sample issuer: what may enter, where traffic is routed, and what API Gateway reaches, with mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pci_config.sandbox.organization_network import CIDRS, tcp

if TYPE_CHECKING:
    from pci_config.rdk_json import RdkJson
    from pci_config.sandbox.organization import Issuer
    from pci_config.sandbox.server import MotoServer

INGRESS, ROUTE, LINK = "PCI_SECURITY_GROUP_INGRESS_LIMITED", "PCI_ROUTE_LIMITED", "PCI_VPC_LINK_LIMITED"
ANY = "0.0.0.0/0"


def build(server: MotoServer, issuer: Issuer, rdk_json: RdkJson) -> None:
    region = rdk_json.settings.home_region
    for role in CIDRS:
        network = _Network(server, issuer, role, region)
        network.ingress()
        network.routes()
        network.links()


class _Network:
    """What `organization_network` built of one account, found again by name."""

    def __init__(self, server: MotoServer, issuer: Issuer, role: str, region: str) -> None:
        self._clients = server.clients(issuer.accounts[role], region)
        self._issuer, self._role, self._region, self._cidr = issuer, role, region, CIDRS[role]
        self._ec2: Any = self._clients.build_client("ec2")
        (vpc,) = self._ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [f"{role}-payments"]}])["Vpcs"]
        self._vpc = str(vpc["VpcId"])
        groups = self._ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [self._vpc]}])["SecurityGroups"]
        self._groups = {str(group["GroupName"]): group for group in groups}
        self._subnets: dict[str, list[str]] = {}
        for subnet in self._ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self._vpc]}])["Subnets"]:
            tier = next(tag["Value"] for tag in subnet["Tags"] if tag["Key"] == "pci:tier")
            self._subnets.setdefault(tier, []).append(str(subnet["SubnetId"]))

    def _plant(self, rule: str, resource_id: str, why: str, *, fixable: bool = False) -> None:
        self._issuer.plant(self._role, self._region, rule, resource_id, why, fixable=fixable)

    # ------------------------------------------------------------------------------------------------ security groups

    def ingress(self) -> None:
        """Every tier takes what it may; then the mistakes."""
        self._take("dmz-main", [tcp(443, "0.0.0.0/0")])
        self._take("service-main", [self._from("-1", "card-api-main", "external-api-main", "service-main")])
        for name in {"database-main", "database-replica"} & self._groups.keys():
            self._take(name, [self._from("tcp", "service-main", port=5432)])
        if self._role == "production":
            self._add("dmz-main", tcp(8443, "203.0.113.0/28"), "a partner's test port was left open beside 443")
        if self._role == "staging":
            self._add("database-replica", tcp(5432, self._cidr), "the whole VPC reaches a database")
        if self._role == "development":
            self._add("playground", tcp(22, "0.0.0.0/0"), "SSH from everywhere, no tier", fixable=True)
            self._plant(INGRESS, self._groups["typo"]["GroupId"], "a tier that does not exist")

    def _take(self, name: str, permissions: list[dict[str, Any]]) -> None:
        group = self._groups[name]
        self._ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
        self._ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=permissions)

    def _add(self, name: str, permission: dict[str, Any], why: str, *, fixable: bool = False) -> None:
        group_id = self._groups[name]["GroupId"]
        self._ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[permission])
        self._plant(INGRESS, group_id, why, fixable=fixable)

    def _from(self, protocol: str, *names: str, port: int | None = None) -> dict[str, Any]:
        pairs = [{"GroupId": self._groups[name]["GroupId"]} for name in names]
        ports = {} if port is None else {"FromPort": port, "ToPort": port}
        return {"IpProtocol": protocol, **ports, "UserIdGroupPairs": pairs}

    # --------------------------------------------------------------------------------------------------------- routes

    def routes(self) -> None:
        """The DMZ reaches the internet, services reach out over a NAT, databases have no table of their own."""
        subnets = self._subnets
        gateway = self._ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self._ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self._vpc)
        address = self._ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = self._ec2.create_nat_gateway(SubnetId=subnets["dmz"][0], AllocationId=address)["NatGateway"]["NatGatewayId"]
        self._table(subnets["dmz"], GatewayId=gateway)
        outward = self._table(subnets["service"], NatGatewayId=nat)
        if self._role == "staging":
            self._ec2.associate_route_table(RouteTableId=outward, SubnetId=subnets["database"][1])
            why = "a database subnet was given the services' way out, to fetch an update"
            for resource_id in (outward, subnets["database"][1]):
                self._plant(ROUTE, resource_id, why)
        if self._role == "development":
            filters = [{"Name": "vpc-id", "Values": [self._vpc]}, {"Name": "association.main", "Values": ["true"]}]
            (main,) = self._ec2.describe_route_tables(Filters=filters)["RouteTables"]
            self._ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock=ANY, GatewayId=gateway)
            for resource_id in (main["RouteTableId"], *subnets["database"]):
                self._plant(ROUTE, resource_id, "the main table leads to the internet, for subnets that nobody gave a table")

    def _table(self, subnets: list[str], **target: str) -> str:
        table = str(self._ec2.create_route_table(VpcId=self._vpc)["RouteTable"]["RouteTableId"])
        self._ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, **target)
        for subnet in subnets:
            self._ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return table

    # ------------------------------------------------------------------------------------------------------ VPC links

    def links(self) -> None:
        """The REST API's link targets the tier's load balancer; so does the HTTP API's, but not in development."""
        balancers = self._clients.build_client("elbv2")
        found = balancers.describe_load_balancers(Names=["vpc-link", "public-api"])["LoadBalancers"]
        arns = {balancer["LoadBalancerName"]: balancer["LoadBalancerArn"] for balancer in found}
        balancers.add_tags(ResourceArns=[arns["vpc-link"]], Tags=[{"Key": "pci:tier", "Value": "vpc-link"}])
        target = "public-api" if self._role == "development" else "vpc-link"
        listeners = balancers.describe_listeners(LoadBalancerArn=arns[target])["Listeners"]
        apis = self._clients.build_client("apigatewayv2")
        link = apis.create_vpc_link(
            Name="to-services", SubnetIds=self._subnets["service"], SecurityGroupIds=[self._groups["vpc-link-main"]["GroupId"]]
        )["VpcLinkId"]
        (api,) = (api for api in apis.get_apis()["Items"] if api["Name"] == f"{self._role}-partners")
        apis.create_integration(
            ApiId=api["ApiId"], IntegrationType="HTTP_PROXY", IntegrationMethod="ANY", PayloadFormatVersion="1.0",
            ConnectionType="VPC_LINK", ConnectionId=link, IntegrationUri=listeners[0]["ListenerArn"],
        )  # fmt: skip
        if target != "vpc-link":
            self._plant(LINK, self._issuer.accounts[self._role], "the partners' API enters over the public load balancer")
