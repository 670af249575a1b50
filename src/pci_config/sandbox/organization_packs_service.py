"""Replaces moto's organization conformance packs, which never read a template, by packs that reach every member account.

Who may call: the management account, or the delegated administrator of config-multiaccountsetup. How they run is in
`organization_packs`. Delivery buckets are kept and shown, nothing is written to them. Source: AWS Config API reference.
"""

from __future__ import annotations

import functools
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moto.config.models import ConfigRule, config_backends
from moto.config.responses import ConfigResponse
from moto.core.exceptions import JsonRESTError
from moto.s3.models import s3_backends

from pci_config.pack_limits import MAX_S3_TEMPLATE_BYTES, MAX_TEMPLATE_BYTES
from pci_config.sandbox.config_service import pseudo_parameters
from pci_config.sandbox.organization_packs import RETRIES, Faults, Member, OrganizationPack, OrganizationPacks
from pci_config.sandbox.organization_tree import CONFIG_PACKS, all_features, is_delegated, management_account, organization_of
from pci_config.sandbox.pack_template import PackRefusedError, evaluate

NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
MOST_PACKS, MOST_EXCLUDED, MOST_RULES, LARGEST_PAGE = 50, 1000, 1000, 100
_STATE = "sandbox_organization_packs"
_LOCK = threading.RLock()

Request = Mapping[str, Any]


def faults(account_id: str, region: str) -> Faults:
    """What goes wrong with the packs that an account put in a Region, to be changed in place; it goes when moto is reset."""
    return _packs(organization_of(account_id), account_id, region).faults


def install() -> None:
    """Teach moto the actions of this module. Installing again changes nothing."""
    for work in (
        put_organization_conformance_pack,
        describe_organization_conformance_packs,
        describe_organization_conformance_pack_statuses,
        get_organization_conformance_pack_detailed_status,
        delete_organization_conformance_pack,
    ):
        setattr(ConfigResponse, work.__name__, _action(work))
    ConfigRule.MAX_RULES = MOST_RULES  # MaxNumberOfConfigRulesExceededException


def _packs(organization: Any, deployer: str, region: str) -> OrganizationPacks:
    backend = config_backends[deployer][region]
    found: OrganizationPacks = backend.__dict__.setdefault(_STATE, OrganizationPacks(organization, deployer, region))
    return found


def _action(work: Callable[[OrganizationPacks, Request], dict[str, Any]]) -> Callable[[Any], str]:
    @functools.wraps(work)
    def action(self: Any) -> str:
        request = json.loads(self.body or "{}")
        organization = _reached(self.current_account)
        with _LOCK:
            known = _packs(organization, self.current_account, self.region)
            if known.faults.throttled(self._get_action(), request):
                raise JsonRESTError("ThrottlingException", "Rate exceeded")
            try:
                return json.dumps(work(known, request))
            finally:
                known.step()

    return action


def put_and_wait(account_id: str, region: str, request: Request) -> str:
    """Put a pack as CloudFormation does: it waits for every account. Returns the ARN; raises if an account failed."""
    with _LOCK:
        known = _packs(_reached(account_id), account_id, region)
        arn = str(put_organization_conformance_pack(known, request)["OrganizationConformancePackArn"])
        pack = known.packs[request["OrganizationConformancePackName"]]
        _run(known, pack)
        if pack.status.endswith("_FAILED"):
            failed = [f"{m.account} {m.code}: {m.message}" for m in pack.members.values() if m.code]
            raise JsonRESTError("ValidationException", f"{pack.status}: {'; '.join(failed)}")
        return arn


def delete_and_wait(account_id: str, region: str, name: str) -> None:
    with _LOCK:
        known = _packs(_reached(account_id), account_id, region)
        if name in known.packs:
            pack = known.packs[name]
            known.delete(pack)
            _run(known, pack)


def _run(known: OrganizationPacks, pack: OrganizationPack) -> None:
    for _ in range(2 + known.faults.steps + RETRIES):
        if pack.status.endswith("_IN_PROGRESS"):
            known.step()


def _reached(account_id: str) -> Any:
    """The organization whose packs this account may put."""
    organization = organization_of(account_id)
    if organization is None:
        raise JsonRESTError("NoAvailableOrganizationException", "The account belongs to no organization")
    if account_id != management_account(organization) and not is_delegated(organization, account_id, CONFIG_PACKS):
        message = "This action can be called by the management account or a delegated administrator"
        raise JsonRESTError("OrganizationAccessDeniedException", message)
    return organization


# ------------------------------------------------------------------------------------------------------------ actions


def put_organization_conformance_pack(known: OrganizationPacks, request: Request) -> dict[str, Any]:
    name, excluded = request["OrganizationConformancePackName"], list(request.get("ExcludedAccounts") or [])
    bucket = request.get("DeliveryS3Bucket") or ""
    if not NAME.fullmatch(name) or len(excluded) > MOST_EXCLUDED or (bucket and not bucket.startswith("awsconfigconforms")):
        raise JsonRESTError("ValidationException", "the name, the delivery bucket or the excluded accounts are not valid")
    if not all_features(known.organization):
        raise JsonRESTError(
            "OrganizationAllFeaturesNotEnabledException", "Your organization does not have all features enabled"
        )
    before = known.packs.get(name)
    _idle(before)
    if before is None and len(known.packs) >= MOST_PACKS:
        raise JsonRESTError("MaxNumberOfOrganizationConformancePacksExceededException", f"{MOST_PACKS} packs are the most")
    given = {entry["ParameterName"]: entry["ParameterValue"] for entry in request.get("ConformancePackInputParameters") or []}
    try:
        text, max_bytes = read_template(known.deployer, request)
        evaluate(text, given, pseudo_parameters(config_backends[known.deployer][known.region]), max_bytes)
    except PackRefusedError as error:
        raise JsonRESTError("OrganizationConformancePackTemplateValidationException", str(error)) from None
    known.organization.enable_aws_service_access(ServicePrincipal=CONFIG_PACKS)
    delivery = {key: request[key] for key in ("DeliveryS3Bucket", "DeliveryS3KeyPrefix") if request.get(key)}
    pack = known.put(OrganizationPack(name, text, max_bytes, given, excluded, delivery))
    return {"OrganizationConformancePackArn": _arn(known, pack)}


def delete_organization_conformance_pack(known: OrganizationPacks, request: Request) -> dict[str, Any]:
    pack = _named(known, [request["OrganizationConformancePackName"]])[0]
    _idle(pack)
    known.delete(pack)
    return {}


def describe_organization_conformance_packs(known: OrganizationPacks, request: Request) -> dict[str, Any]:
    names = request.get("OrganizationConformancePackNames") or []
    found = [
        {
            "OrganizationConformancePackName": pack.name,
            "OrganizationConformancePackArn": _arn(known, pack),
            "ConformancePackInputParameters": [
                {"ParameterName": key, "ParameterValue": value} for key, value in pack.given.items()
            ],
            "ExcludedAccounts": pack.excluded,
            "LastUpdateTime": pack.updated.timestamp(),
            **pack.delivery,
        }
        for pack in _named(known, names)
    ]
    return _page(request, "OrganizationConformancePacks", found, whole=bool(names))


def describe_organization_conformance_pack_statuses(known: OrganizationPacks, request: Request) -> dict[str, Any]:
    names = request.get("OrganizationConformancePackNames") or []
    found = []
    for pack in _named(known, names):
        failed = next((m for _, m in sorted(pack.members.items()) if m.code), None)
        broken = pack.status.endswith("_FAILED") and failed
        found.append(
            {
                "OrganizationConformancePackName": pack.name,
                "Status": pack.status,
                "LastUpdateTime": pack.updated.timestamp(),
                **({"ErrorCode": failed.code, "ErrorMessage": failed.message} if failed and broken else {}),
            }
        )
    return _page(request, "OrganizationConformancePackStatuses", found, whole=bool(names))


def get_organization_conformance_pack_detailed_status(known: OrganizationPacks, request: Request) -> dict[str, Any]:
    (pack,) = _named(known, [request["OrganizationConformancePackName"]])
    filters = request.get("Filters") or {}
    found = [
        _detail(pack, member)
        for account, member in sorted(pack.members.items())
        if filters.get("AccountId", account) == account and filters.get("Status", member.status) == member.status
    ]
    return _page(request, "OrganizationConformancePackDetailedStatuses", found)


# -------------------------------------------------------------------------------------------------------------- parts


def read_template(caller: str, request: Request) -> tuple[str, int]:
    """The template's text and the bytes it may have. If both places are named, the object in S3 counts."""
    place = request.get("TemplateS3Uri")
    if not place:
        if not request.get("TemplateBody"):
            raise PackRefusedError("neither TemplateBody nor TemplateS3Uri")
        return str(request["TemplateBody"]), MAX_TEMPLATE_BYTES
    bucket, _, key = place.removeprefix("s3://").partition("/")
    try:
        found = s3_backends[caller]["aws"].get_object(bucket, key) if place.startswith("s3://") else None
    except Exception as error:
        raise PackRefusedError(f"{place}: {error}") from None
    if found is None:
        raise PackRefusedError(f"{place}: there is no such object")
    return found.value.decode("utf-8"), MAX_S3_TEMPLATE_BYTES


def _idle(pack: OrganizationPack | None) -> None:
    if pack and pack.status.endswith("_IN_PROGRESS"):
        raise JsonRESTError(
            "ResourceInUseException",
            f"The organization conformance pack {pack.name} is in {pack.status}. Try your request again later",
        )


def _named(known: OrganizationPacks, names: Sequence[str]) -> list[OrganizationPack]:
    unknown = [name for name in names if name not in known.packs]
    if unknown:
        raise JsonRESTError(
            "NoSuchOrganizationConformancePackException", f"There is no organization conformance pack {', '.join(unknown)}"
        )
    return [known.packs[name] for name in names or sorted(known.packs)]


def _arn(known: OrganizationPacks, pack: OrganizationPack) -> str:
    return f"arn:aws:config:{known.region}:{known.deployer}:organization-conformance-pack/{pack.name}-{pack.id}"


def _detail(pack: OrganizationPack, member: Member) -> dict[str, Any]:
    return {
        "AccountId": member.account,
        "ConformancePackName": pack.member_name,
        "Status": member.status,
        "LastUpdateTime": member.updated.timestamp(),
        **({"ErrorCode": member.code, "ErrorMessage": member.message} if member.code else {}),
    }


def _page(request: Request, name: str, entries: Sequence[Any], whole: bool = False) -> dict[str, Any]:
    """`whole`: limit and token do not count where names are given."""
    size, token = request.get("Limit") or LARGEST_PAGE, request.get("NextToken") or "0"
    if size > LARGEST_PAGE:
        raise JsonRESTError("InvalidLimitException", f"{LARGEST_PAGE} is the most")
    if not token.isdecimal():
        raise JsonRESTError("InvalidNextTokenException", "the token is not one of an answer")
    end = len(entries) if whole else int(token) + size
    start = 0 if whole else int(token)
    return {name: list(entries[start:end]), **({"NextToken": str(end)} if end < len(entries) else {})}
