"""PCI_CDN_TLS_ONLY: CloudFront distributions carry strong TLS only, towards viewers and towards origins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pci_config.cdn_tls import (
    ACCEPTABLE_MINIMUMS,
    Behaviour,
    Certificate,
    Origin,
    distribution_faults,
)
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    Lookup,
    PciRule,
    RuleInputError,
    Scope,
    choice,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    optional,
    reading,
    required,
)

DISTRIBUTION = "AWS::CloudFront::Distribution"
CLOUDFRONT_REGION = "us-east-1"
CONFIG = "configuration.distributionConfig"
SUFFIX = " [PCI 4.2.1]"


@dataclass(frozen=True, slots=True)
class DistributionParameters:
    minimum_protocol_version: str = choice("TLSv1.2_2021", ACCEPTABLE_MINIMUMS)


class VpcOriginProtocols(Lookup[tuple[str, tuple[str, ...]]]):
    """(protocol policy, TLS versions) of a VPC origin by its id. The distribution's item has the id only."""

    actions = ("cloudfront:GetVpcOrigin",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> tuple[str, tuple[str, ...]]:
        found = clients.build_client("cloudfront", CLOUDFRONT_REGION).get_vpc_origin(Id=key[0])
        with reading("GetVpcOrigin"):
            endpoint = found["VpcOrigin"]["VpcOriginEndpointConfig"]
            protocols = endpoint.get("OriginSslProtocols", {}).get("Items", [])
            return str(endpoint["OriginProtocolPolicy"]), tuple(map(str, protocols))


class PciCdnTlsOnly(PciRule):
    """Every behaviour, the viewer certificate and every origin of a distribution refuse clear text and old TLS.

    PCI DSS 4.0.1: 4.2.1. 3.2.1: 4.1. Source: CloudFront developer guide (tables in pci_config/cdn_tls.py). AWS Config records
    distributions in us-east-1 only: the rule is deployed in every Region, and judges in that one.

    | distribution | verdict |
    |---|---|
    | every behaviour https-only or redirect-to-https, own certificate with `MinimumProtocolVersion`, every origin https-only | compliant |
    | a behaviour that allows HTTP | non-compliant, names the path |
    | CloudFront's default certificate | non-compliant: it accepts TLSv1 whatever is set |
    | own certificate with a weaker or unknown security policy | non-compliant, names it |
    | custom or VPC origin: http-only or match-viewer, or a TLS version other than 1.2 | non-compliant, names the origin |
    | S3 website endpoint as origin | non-compliant: it has no HTTPS |
    | S3 bucket as origin | asked with the viewer's protocol: the behaviours decide |
    | disabled | not applicable: it serves nothing |
    | no behaviour, origin or certificate to be read | error |
    """  # noqa: E501 - a table row

    resource_types = (DISTRIBUTION,)
    parameters = DistributionParameters
    lookups = (VpcOriginProtocols,)
    sweeps = True  # a VPC origin's protocols change without the distribution's item

    def decide(self, item: Item, parameters: DistributionParameters, facts: Facts) -> Finding:
        if not required(item, f"{CONFIG}.enabled", bool):
            return not_applicable("the distribution is disabled and serves nothing")
        behaviours, certificate, origins = behaviours_of(item), certificate_of(item), origins_of(item, facts)
        faults = distribution_faults(behaviours, certificate, origins, parameters.minimum_protocol_version)
        if faults:
            return non_compliant(counted(faults, "problem", SUFFIX))
        return compliant(
            f"TLS only (behaviours: {len(behaviours)}, origins: {len(origins)});"
            f" viewers with {certificate.minimum_protocol_version}"
        )


def behaviours_of(item: Item) -> tuple[Behaviour, ...]:
    """The default behaviour and the others; `items` is absent when there are none."""
    default = Behaviour("default", required(item, f"{CONFIG}.defaultCacheBehavior.viewerProtocolPolicy", str))
    others = [
        Behaviour(required(entry, "pathPattern", str), required(entry, "viewerProtocolPolicy", str))
        for entry in listed(item, "cacheBehaviors")
    ]
    return default, *others


def certificate_of(item: Item) -> Certificate:
    place = f"{CONFIG}.viewerCertificate"
    required(item, place, dict)
    if optional(item, f"{place}.cloudFrontDefaultCertificate", bool, False):
        return Certificate(default=True)
    own = [optional(item, f"{place}.{name}", str, "") for name in ("acmCertificateArn", "iamCertificateId")]
    if not any(own):
        raise RuleInputError(f"{place} names no certificate, neither CloudFront's default one nor one's own")
    return Certificate(default=False, minimum_protocol_version=required(item, f"{place}.minimumProtocolVersion", str))


def origins_of(item: Item, facts: Facts) -> tuple[Origin, ...]:
    origins = tuple(origin_of(entry, facts) for entry in listed(item, "origins"))
    if not origins:
        raise RuleInputError(f"{CONFIG}.origins names no origin")
    return origins


def origin_of(entry: Item, facts: Facts) -> Origin:
    identifier, domain_name = required(entry, "id", str), required(entry, "domainName", str)
    if entry.get("customOriginConfig") is not None:
        protocols = listed(entry, "customOriginConfig.originSslProtocols", "", str)
        return Origin(identifier, domain_name, required(entry, "customOriginConfig.originProtocolPolicy", str), protocols)
    if entry.get("vpcOriginConfig") is not None:
        return Origin(
            identifier, domain_name, *facts.get(VpcOriginProtocols, required(entry, "vpcOriginConfig.vpcOriginId", str))
        )
    required(entry, "s3OriginConfig", dict)
    return Origin(identifier, domain_name)


def listed(item: Item, place: str, prefix: str = CONFIG + ".", kind: type = dict) -> tuple[Any, ...]:
    """CloudFront's lists: {quantity, items}, without `items` when the quantity is 0."""
    place = prefix + place
    quantity, items = required(item, f"{place}.quantity", int), optional(item, f"{place}.items", list, [])
    if len(items) != quantity or not all(isinstance(entry, kind) for entry in items):
        raise RuleInputError(f"{place} says {quantity} items of type {kind.__name__}, and has {len(items)} items")
    if kind is dict:
        return tuple({**entry, "resourceType": place} for entry in items)  # so that a complaint says where
    return tuple(items)


lambda_handler = PciCdnTlsOnly.as_lambda_handler()
