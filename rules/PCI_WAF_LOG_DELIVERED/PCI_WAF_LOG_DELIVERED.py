"""PCI_WAF_LOG_DELIVERED: web ACLs log every request they judge, into the central archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from pci_config.log_destination import route
from pci_config.log_facts import LOG_LOOKUPS, LookedUp, place_of
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    Lookup,
    PciRule,
    RuleInputError,
    Scope,
    compliant,
    counted,
    non_compliant,
    reading,
)
from pci_config.web_acl_logs import NAME_PREFIX, filter_faults, redaction_faults

WEB_ACL = "AWS::WAFv2::WebACL"
CLOUDFRONT_REGION = "us-east-1"  # web ACLs of CloudFront and their logs are there
SUFFIX = " [PCI 10.2.1]"


class WebAclLogging(Lookup[Mapping[str, Any] | None]):
    """GetLoggingConfiguration by Region and ARN; None when logging is off. AWS Config does not record it."""

    actions = ("wafv2:GetLoggingConfiguration",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Mapping[str, Any] | None:
        region, arn = key
        try:
            found: Mapping[str, Any] = clients.build_client("wafv2", region).get_logging_configuration(ResourceArn=arn)[
                "LoggingConfiguration"
            ]
        except ClientError as error:
            if error.response["Error"]["Code"] == "WAFNonexistentItemException":
                return None
            raise
        return found


class PciWafLogDelivered(PciRule):
    """Every web ACL logs all it blocks, and enough of it, to an archive bucket or a stream or group that ends in one.

    PCI DSS 4.0.1: 10.2.1, 10.3.3. 3.2.1: 10.1, 10.2, 10.5.3. Source: AWS WAF developer guide, logging web ACL traffic (names
    begin with aws-waf-logs-); API reference, LoggingConfiguration, LoggingFilter. CloudFront's web ACLs are in us-east-1.

    | web ACL | verdict |
    |---|---|
    | logs on a way that ends in the archive, nothing blocked is dropped | compliant |
    | logging off | non-compliant |
    | the way ends elsewhere, or the destination's name does not begin with aws-waf-logs- | non-compliant, shows the way |
    | a filter drops blocked requests, or everything that it does not name | non-compliant |
    | the URI path or the method is redacted | non-compliant; headers, cookies and query strings may be |
    """

    resource_types = (WEB_ACL,)
    lookups = (WebAclLogging, *LOG_LOOKUPS)
    sweeps = True  # logging is not part of the item: turning it off changes nothing that is recorded

    def decide(self, item: Item, parameters: Any, facts: Facts) -> Finding:
        del parameters
        arn = acl_arn(item)
        region = arn.split(":")[3]
        logging = facts.get(WebAclLogging, region, arn)
        if logging is None:
            return non_compliant(
                f"logging is off; send logs to a bucket, Firehose or log group {NAME_PREFIX}* of the archive{SUFFIX}"
            )
        with reading("GetLoggingConfiguration"):
            (destination,) = logging["LogDestinationConfigs"]
            problems = filter_faults(logging.get("LoggingFilter")) + redaction_faults(logging.get("RedactedFields") or [])
        way = route(destination, place_of(facts, region), LookedUp(facts, region))
        if way.fault:
            problems.insert(0, f"logs -> {way.told()}")
        elif NAME_PREFIX not in destination:
            problems.insert(0, f"logs -> {way}: WAF delivers only to names that begin with {NAME_PREFIX}")
        if problems:
            return non_compliant(counted(problems, "problem", SUFFIX))
        return compliant(f"logs -> {way}")


def acl_arn(item: Item) -> str:
    configuration = item.get("configuration")
    named = configuration.get("resourceARN") if isinstance(configuration, Mapping) else None
    arn = named or item.get("ARN")
    if not isinstance(arn, str) or arn.count(":") < 5:
        raise RuleInputError(f"{WEB_ACL}: neither configuration.resourceARN nor ARN is the ARN of a web ACL")
    return arn


lambda_handler = PciWafLogDelivered.as_lambda_handler()
