"""PCI_BUCKET_LOG_DELIVERED: access to objects of card-data buckets is logged."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pci_config.archive_bucket import bucket_tags
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    Lookup,
    PciRule,
    Scope,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    optional,
    required,
    words,
)
from pci_config.trail import selector_gaps, status_gaps

BUCKET = "AWS::S3::Bucket"
SCOPE_TAG = "pci:scope"
SUFFIX = " [PCI 10.2.1.1]"


@dataclass(frozen=True, slots=True)
class BucketLogParameters:
    cde_buckets: tuple[str, ...] = words(
        pattern=r"[a-z0-9.*?-]{3,63}", expected="bucket names or patterns, separated by commas"
    )
    """Buckets that hold card data, beside those tagged `pci:scope` = cde."""


class ObjectEventTrails(Lookup[Sequence[Mapping[str, Any]]]):
    """Trails that act here and whose event selectors can be read: name, bucket, status, selectors. Not recorded."""

    actions = ("cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus", "cloudtrail:GetEventSelectors")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Mapping[str, Any]]:
        cloudtrail = clients.build_client("cloudtrail")
        found = []
        for trail in cloudtrail.describe_trails(includeShadowTrails=True)["trailList"]:
            arn = trail["TrailARN"]
            try:
                selectors = cloudtrail.get_event_selectors(TrailName=arn)
            except ClientError as error:
                foreign = arn.split(":")[4] != scope.account_id
                if foreign and error.response["Error"]["Code"] in ("AccessDeniedException", "TrailNotFoundException"):
                    continue  # an organization trail's selectors may be readable in its own account only
                raise
            status = cloudtrail.get_trail_status(Name=arn)
            found.append({"name": trail["Name"], "bucket": trail["S3BucketName"], "status": status, "selectors": selectors})
        return found


class PciBucketLogDelivered(PciRule):
    """Object access in card-data buckets is logged: by data events of a trail, or by server access logs.

    PCI DSS 4.0.1: 10.2.1, 10.2.1.1. 3.2.1: 10.2.1. Source: CloudTrail user guide, data events; Amazon S3 user guide, server
    access logging (the target is a bucket of the same account and Region, so it cannot be the archive itself).

    | bucket | verdict |
    |---|---|
    | tagged pci:scope cde or named in CdeBuckets, with server access logs | compliant |
    | the same with data events, read and write, of a trail that delivers to the archive | compliant |
    | the same with data events of trails that deliver elsewhere | non-compliant, names the bucket |
    | the same without either | non-compliant |
    | an archive bucket | not applicable: PCI_TRAIL_DELIVERED judges its object events |
    | any other | not applicable |
    """

    resource_types = (BUCKET,)
    parameters = BucketLogParameters
    lookups = (ObjectEventTrails,)
    sweeps = True  # trails change without a change of the bucket

    def decide(self, item: Item, parameters: BucketLogParameters, facts: Facts) -> Finding:
        name = required(item, "resourceId", str)
        if facts.scope.settings.is_archive_bucket(name):
            return not_applicable("an archive bucket: PCI_TRAIL_DELIVERED judges its object events")
        named = any(fnmatch.fnmatchcase(name, pattern) for pattern in parameters.cde_buckets)
        if not named and bucket_tags(item).get(SCOPE_TAG) != "cde":
            return not_applicable(f"holds no card data: it has no tag {SCOPE_TAG} cde and CdeBuckets does not name it")
        required(item, "supplementaryConfiguration", Mapping)
        logging = optional(item, "supplementaryConfiguration.BucketLoggingConfiguration", Mapping, {})
        target = optional(logging, "destinationBucketName", str, "")
        if target:
            return compliant(f"server access logs go to {target}")
        astray = []
        for trail in facts.get(ObjectEventTrails):
            # management events are PCI_TRAIL_DELIVERED's business: only what is said of this bucket counts here
            missed = [gap for gap in selector_gaps(trail["selectors"], [name]) if gap.startswith("misses object events")]
            if missed or status_gaps(trail["status"]):
                continue
            if facts.scope.settings.is_archive_bucket(trail["bucket"]):
                return compliant(f"trail {trail['name']} records its object events")
            astray.append(
                f"trail {trail['name']} records its object events, but delivers to {trail['bucket']}, not to the archive"
            )
        if astray:
            return non_compliant(counted(astray, "trail", SUFFIX))
        return non_compliant(
            f"no server access logs, and no trail whose selectors can be read here records object events of {name}{SUFFIX}"
        )


lambda_handler = PciBucketLogDelivered.as_lambda_handler()
