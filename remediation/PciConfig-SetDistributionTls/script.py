"""Makes a CloudFront distribution refuse clear text and old TLS, towards viewers and towards origins."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.cdn_tls import (
    ACCEPTABLE_MINIMUMS,
    HTTPS_VIEWER_POLICIES,
    SECURITY_POLICIES,
    STRONG_ORIGIN_PROTOCOLS,
    WEBSITE_ENDPOINT,
    Behaviour,
    Certificate,
    Origin,
    behaviour_fault,
    certificate_fault,
    clear_text_fault,
    distribution_faults,
    old_protocol_fault,
)
from pci_config.runbook import Change, Refused, _excepted, aws, boolean, carry_out, put_back, require_own
from pci_config.tags import tag_map

RECORDED_IN = "us-east-1"  # AWS Config records and judges distributions there only
KNOWN_ORIGIN_PROTOCOLS = ("SSLv3", "TLSv1", "TLSv1.1", *STRONG_ORIGIN_PROTOCOLS)


class Unshown:
    """A text that is sent and never shown. botocore refuses it, unless `in_its_place` puts the text there."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "(not shown)"


class Distribution:
    """A distribution's configuration. State: {"config": …, "etag": …, "arn": …}."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["DistributionId"])
        self._event = event
        aws("cloudfront").meta.events.register(
            "provide-client-params.cloudfront.UpdateDistribution", in_its_place, unique_id=f"pci-config-{id(Unshown)}"
        )

    def read(self) -> dict[str, Any] | None:
        try:
            answer = aws("cloudfront").get_distribution(Id=self.resource_id)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchDistribution":
                return None
            raise
        found = answer["Distribution"]
        require_own(self._event, found["ARN"])
        return {"config": found["DistributionConfig"], "etag": answer["ETag"], "arn": found["ARN"]}

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The order of behaviours decides which one answers; that of origins and protocols means nothing."""
        config = state["config"]
        customs = {each["Id"]: each["CustomOriginConfig"] for each in items(config["Origins"]) if custom(each)}
        return {
            "Behaviours": [[path, each["ViewerProtocolPolicy"]] for path, each in behaviours(config)],
            "MinimumProtocolVersion": (config.get("ViewerCertificate") or {}).get("MinimumProtocolVersion"),
            "Origins": [
                {
                    "Id": name,
                    "OriginProtocolPolicy": customs[name]["OriginProtocolPolicy"],
                    "OriginSslProtocols": sorted(items(customs[name].get("OriginSslProtocols"))),
                }
                for name in sorted(customs)
            ],
        }

    def to(self, state: Mapping[str, Any], config: Mapping[str, Any], summary: str) -> Change:
        parameters = {"Id": self.resource_id, "IfMatch": state["etag"], "DistributionConfig": without_secrets(config)}
        return Change("cloudfront", "update_distribution", parameters, summary)


class DistributionFix(Distribution):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._minimum, self._viewer_policy = str(event["MinimumProtocolVersion"]), str(event["ViewerProtocolPolicy"])
        self._origins_take_https = boolean(event, "OriginsTakeHttps")
        for name, value, known in (
            ("MinimumProtocolVersion", self._minimum, ACCEPTABLE_MINIMUMS),
            ("ViewerProtocolPolicy", self._viewer_policy, HTTPS_VIEWER_POLICIES),
        ):
            if value not in known:
                raise Refused(f"{name} is {value!r}; expected one of {', '.join(known)}")
        excepted = _excepted({**event, "Region": RECORDED_IN}, self)
        if excepted and event["Region"] != RECORDED_IN:  # carry_out asks for the Region of the execution
            raise Refused(excepted)

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        return tag_map(aws("cloudfront").list_tags_for_resource(Resource=state["arn"])["Tags"].get("Items", []))

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        try:
            return self._changes(state)
        except (KeyError, TypeError, AttributeError) as error:
            raise Refused(f"the configuration of {self.resource_id} is not understood ({error!r})") from None

    def _changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        config = state["config"]
        if not config["Enabled"]:
            return []  # it serves nothing
        views = [Behaviour(path, each["ViewerProtocolPolicy"]) for path, each in behaviours(config)]
        certificate, origins = certificate_of(config), [origin_of(each) for each in items(config["Origins"])]
        faults = distribution_faults(views, certificate, origins, self._minimum)
        if not faults:
            return []
        beyond = [*self._beyond_viewers(config, views, certificate), *(self._beyond_origin(config, each) for each in origins)]
        human = [reason for reason in beyond if reason]
        if human:
            raise Refused(f"needs a human: {'; '.join(human)}")
        return [self.to(state, self._mended(config), f"refuse clear text and old TLS ({'; '.join(faults)})")]

    def _beyond_viewers(
        self, config: Mapping[str, Any], views: Sequence[Behaviour], certificate: Certificate
    ) -> list[str | None]:
        """What this does not mend towards viewers, and why."""
        found = [
            behaviour_fault(each) for each in views if each.viewer_protocol_policy not in (*HTTPS_VIEWER_POLICIES, "allow-all")
        ]
        fault = certificate_fault(certificate, self._minimum)
        support = config["ViewerCertificate"].get("SSLSupportMethod")
        if fault and (certificate.default or certificate.minimum_protocol_version not in SECURITY_POLICIES):
            found.append(fault)
        elif fault and support != "sni-only":
            found.append(f"{fault}: with dedicated IP addresses ({support}) AWS support has to allow it, or use sni-only")
        return found

    def _beyond_origin(self, config: Mapping[str, Any], origin: Origin) -> str | None:
        """Why this does not mend an origin."""
        clear, old = clear_text_fault(origin), old_protocol_fault(origin)
        if not clear and not old:
            return None
        (found,) = [each for each in items(config["Origins"]) if each["Id"] == origin.id]
        if found.get("VpcOriginConfig"):
            return f"{clear or old}: it is a VPC origin, change it there (UpdateVpcOrigin)"
        unknown = [protocol for protocol in origin.ssl_protocols if protocol not in KNOWN_ORIGIN_PROTOCOLS]
        policies = ("http-only", "match-viewer", "https-only")
        if WEBSITE_ENDPOINT.search(origin.domain_name) or origin.protocol_policy not in policies:
            return clear
        if unknown:
            return f"origin {origin.id} has the unknown TLS version {unknown[0]}; leave TLSv1.2 only"
        shown = origin.protocol_policy != "http-only" and "TLSv1.2" in origin.ssl_protocols
        if not shown and not self._origins_take_https:
            return f"{clear or old}: nothing shows that it answers TLS 1.2; try it, and run this with OriginsTakeHttps true"
        return None

    def _mended(self, config: Mapping[str, Any]) -> dict[str, Any]:
        mended: dict[str, Any] = copy.deepcopy(dict(config))
        for path, each in behaviours(mended):
            if behaviour_fault(Behaviour(path, each["ViewerProtocolPolicy"])):
                each["ViewerProtocolPolicy"] = self._viewer_policy
        if certificate_fault(certificate_of(mended), self._minimum):
            mended["ViewerCertificate"]["MinimumProtocolVersion"] = self._minimum
        for each in items(mended["Origins"]):
            if custom(each) and clear_text_fault(origin_of(each)):
                each["CustomOriginConfig"]["OriginProtocolPolicy"] = "https-only"
            if custom(each) and old_protocol_fault(origin_of(each)):
                each["CustomOriginConfig"]["OriginSslProtocols"] = listing(STRONG_ORIGIN_PROTOCOLS)
        return mended


class DistributionRestore(Distribution):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        """put_back has compared: behaviours and origins are those that the fix left."""
        config: dict[str, Any] = copy.deepcopy(dict(state["config"]))
        for (path, each), (earlier, policy) in zip(behaviours(config), before["Behaviours"], strict=True):
            if path != earlier:
                raise Refused(f"the behaviours of {self.resource_id} are in another order than before")
            each["ViewerProtocolPolicy"] = policy
        now = self.record(state)
        if before["MinimumProtocolVersion"] != now["MinimumProtocolVersion"]:
            config["ViewerCertificate"]["MinimumProtocolVersion"] = before["MinimumProtocolVersion"]
        origins = {each["Id"]: each["CustomOriginConfig"] for each in items(config["Origins"]) if custom(each)}
        for earlier in [each for each in before["Origins"] if each not in now["Origins"]]:
            origins[earlier["Id"]]["OriginProtocolPolicy"] = earlier["OriginProtocolPolicy"]
            origins[earlier["Id"]]["OriginSslProtocols"] = listing(earlier["OriginSslProtocols"])
            if not earlier["OriginSslProtocols"]:
                del origins[earlier["Id"]]["OriginSslProtocols"]
        return [self.to(state, config, "put the earlier protocols back")]


def items(listed: Mapping[str, Any] | None) -> list[Any]:
    """CloudFront's lists: {Quantity, Items}, without Items when there are none."""
    found = list((listed or {}).get("Items") or [])
    if len(found) != (listed or {}).get("Quantity", 0):
        raise Refused(f"a list of the configuration says {(listed or {}).get('Quantity')} items, and has {len(found)}")
    return found


def listing(entries: Sequence[str]) -> dict[str, Any]:
    return {"Quantity": len(entries), "Items": list(entries)}


def behaviours(config: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(path, behaviour), the default one first."""
    others = [(each["PathPattern"], each) for each in items(config.get("CacheBehaviors"))]
    return [("default", config["DefaultCacheBehavior"]), *others]


def certificate_of(config: Mapping[str, Any]) -> Certificate:
    certificate = config.get("ViewerCertificate") or {}
    if certificate.get("CloudFrontDefaultCertificate"):
        return Certificate(default=True)
    if not certificate.get("ACMCertificateArn") and not certificate.get("IAMCertificateId"):
        raise Refused("the configuration names no certificate, neither CloudFront's default one nor one's own")
    return Certificate(default=False, minimum_protocol_version=str(certificate.get("MinimumProtocolVersion")))


def custom(origin: Mapping[str, Any]) -> bool:
    return bool(origin.get("CustomOriginConfig"))


def origin_of(origin: Mapping[str, Any]) -> Origin:
    """As the rule reads it: a VPC origin has its protocols elsewhere, an S3 bucket has none."""
    source = origin.get("CustomOriginConfig")
    if origin.get("VpcOriginConfig"):
        found = aws("cloudfront").get_vpc_origin(Id=origin["VpcOriginConfig"]["VpcOriginId"])
        source = found["VpcOrigin"]["VpcOriginEndpointConfig"]
    if not source:
        return Origin(origin["Id"], origin["DomainName"])
    protocols = items(source.get("OriginSslProtocols"))
    return Origin(origin["Id"], origin["DomainName"], source["OriginProtocolPolicy"], tuple(protocols))


def without_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with the values of the headers for origins unshown: they often prove to the origin who asks."""
    shown: dict[str, Any] = copy.deepcopy(dict(config))
    for origin in items(shown["Origins"]):
        for header in items(origin.get("CustomHeaders")):
            header["HeaderValue"] = Unshown(header["HeaderValue"])
    return shown


def in_its_place(params: Any, **_: Any) -> Any:
    """What botocore is to send instead of the parameters; None when nothing in them is unshown."""
    sent = revealed(params)
    return None if sent == params else sent


def revealed(params: Any) -> Any:
    """The parameters with every unshown text in its place."""
    if isinstance(params, Unshown):
        return params.text
    if isinstance(params, Mapping):
        return {name: revealed(value) for name, value in params.items()}
    if isinstance(params, list | tuple):
        return [revealed(entry) for entry in params]
    return params


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, DistributionFix)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, DistributionRestore)
