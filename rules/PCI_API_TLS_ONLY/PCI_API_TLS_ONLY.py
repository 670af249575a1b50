"""PCI_API_TLS_ONLY: domain names and default endpoints of API Gateway accept strong TLS only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.api_tls import PRIVATE, RestApi, domain_name_fault, rest_api_fault
from pci_config.rule import (
    ACCOUNT_RESOURCE_TYPE,
    Clients,
    Facts,
    Finding,
    Item,
    Lookup,
    PciRule,
    RuleInputError,
    Scope,
    about,
    about_account,
    choice,
    compliant,
    counted,
    flag,
    non_compliant,
    not_applicable,
    numbered,
    optional,
    reading,
    required,
)

DOMAIN_NAME = "AWS::ApiGateway::DomainName"
REST_API = "AWS::ApiGateway::RestApi"
SUFFIX = " [PCI 4.2.1]"


@dataclass(frozen=True, slots=True)
class ApiParameters:
    minimum_tls_version: str = choice("1.2", ("1.2", "1.3"))
    accept_disabled_endpoints: bool = flag(False)


@dataclass(frozen=True, slots=True)
class DomainName:
    """A domain name as an API gives it, with the policy of each configuration."""

    name: str
    policies: tuple[str, ...]


class DomainNamePolicy(Lookup[str]):
    """The security policy of a domain name whose item does not show it; "" when the API does not either."""

    actions = ("apigateway:GET",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> str:
        return str(clients.build_client("apigateway").get_domain_name(domainName=key[0]).get("securityPolicy") or "")


class UnrecordedDomainNames(Lookup[Sequence[DomainName]]):
    """Domain names without an item of their own: private ones, and those that only the API of HTTP APIs shows."""

    actions = ("apigateway:GET",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[DomainName]:
        pages = clients.build_client("apigateway").get_paginator("get_domain_names").paginate()
        domain_names = [domain_name for page in pages for domain_name in page.get("items", [])]
        others = clients.build_client("apigatewayv2").get_paginator("get_domain_names").paginate()
        known = {each["domainName"] for each in domain_names}
        private = [each for each in domain_names if is_private(each)]
        return [
            *(DomainName(each["domainName"], (str(each.get("securityPolicy") or ""),)) for each in private),
            *(
                DomainName(each["DomainName"], tuple(configured_policies(each)))
                for page in others
                for each in page.get("Items", [])
                if each["DomainName"] not in known
            ),
        ]


class RestApis(Lookup[Sequence[tuple[str, RestApi]]]):
    """(ARN, API) of every REST API. Their items show neither the policy nor whether the default endpoint is disabled."""

    actions = ("apigateway:GET",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[tuple[str, RestApi]]:
        gateway = clients.build_client("apigateway")
        base = f"arn:{gateway.meta.partition}:apigateway:{scope.region}::/restapis/"
        pages = gateway.get_paginator("get_rest_apis").paginate()
        return [(base + api["id"], rest_api(api)) for page in pages for api in page.get("items", [])]


def is_private(domain_name: Mapping[str, Any]) -> bool:
    return PRIVATE in ((domain_name.get("endpointConfiguration") or {}).get("types") or [])


def configured_policies(domain_name: Mapping[str, Any]) -> Iterable[str]:
    """Of each configuration; one that names none counts as an unknown policy."""
    return (str(each.get("SecurityPolicy") or "") for each in domain_name.get("DomainNameConfigurations") or [])


def rest_api(api: Mapping[str, Any]) -> RestApi:
    types = (api.get("endpointConfiguration") or {}).get("types") or []
    return RestApi(
        str(api.get("name") or api["id"]),
        tuple(types),
        str(api.get("securityPolicy") or ""),
        api.get("disableExecuteApiEndpoint") is True,
        str(api.get("apiStatus") or ""),
    )


class PciApiTlsOnly(PciRule):
    """Custom domain names of API Gateway, and REST APIs themselves, accept TLS 1.2 or newer only.

    PCI DSS 4.0.1: 4.2.1. 3.2.1: 4.1. Source: API Gateway security policies (table in pci_config/api_tls.py). HTTP and WebSocket
    APIs take TLS 1.2 or newer on their default endpoints whatever is set, and are not reported. Whether clients show
    certificates (mutual TLS) is another matter and changes no verdict.

    | domain name (on change) | verdict |
    |---|---|
    | a policy of `MinimumTlsVersion` or newer | compliant |
    | an older policy, an unknown one, or none | non-compliant, names it |

    | account and Region (on schedule): private domain names, and those that only the API of HTTP APIs shows | verdict |
    |---|---|
    | a policy of `MinimumTlsVersion` or newer, on every configuration of each | compliant |
    | an older policy, an unknown one, or none, on a configuration of one | non-compliant, names it |
    | there are none | not applicable |

    | REST API (on schedule) | verdict |
    |---|---|
    | a policy of `MinimumTlsVersion` or newer; none, private | compliant |
    | an older or unknown policy; none, Regional or edge (TLS 1.0 by default) | non-compliant, names it |
    | the same, default endpoint disabled | non-compliant: API Gateway uses the API's policy through domain names too |
    | the same, default endpoint disabled and `AcceptDisabledEndpoints` true | compliant, said |
    | the last change of it failed | non-compliant: the policy may not be in force |

    AWS Config has no type for the domain names of the second table, and takes evaluations of types that it knows: so the
    account is judged.
    """

    resource_types = (DOMAIN_NAME,)
    periodic_types = (REST_API, ACCOUNT_RESOURCE_TYPE)
    parameters = ApiParameters
    lookups = (DomainNamePolicy, UnrecordedDomainNames, RestApis)

    def decide(self, item: Item, parameters: ApiParameters, facts: Facts) -> Finding:
        name = required(item, "configuration.DomainName", str)
        policy = optional(item, "configuration.SecurityPolicy", str, "") or facts.get(DomainNamePolicy, name)
        if not policy:
            raise RuleInputError(f"{DOMAIN_NAME}: neither configuration.SecurityPolicy nor GetDomainName names a policy")
        return judge_domain_name(name, (policy,), parameters.minimum_tls_version)

    def decide_account(self, parameters: ApiParameters, facts: Facts) -> Sequence[Finding]:
        with reading("GetRestApis, GetDomainNames"):
            apis, domain_names = facts.get(RestApis), facts.get(UnrecordedDomainNames)
        return [
            *(about(judge_rest_api(api, parameters), REST_API, arn) for arn, api in apis),
            about_account(judge_unrecorded(domain_names, parameters.minimum_tls_version), facts),
        ]


def judge_domain_name(name: str, policies: Sequence[str], minimum: str) -> Finding:
    fault = domain_name_fault(policies, minimum)
    if fault:
        return non_compliant(f"{name}: {fault}{SUFFIX}")
    return compliant(f"{name}: TLS {minimum} or newer ({', '.join(sorted(set(policies)))})")


def judge_unrecorded(domain_names: Sequence[DomainName], minimum: str) -> Finding:
    faults = [(each.name, domain_name_fault(each.policies, minimum)) for each in domain_names]
    wrong = [f"{name}: {fault}" for name, fault in faults if fault]
    if wrong:
        return non_compliant(counted(wrong, "domain name", SUFFIX))
    if not domain_names:
        return not_applicable("no private domain name, and none of HTTP APIs alone")
    return compliant(f"{numbered(len(domain_names), 'domain name')} of private and HTTP APIs: TLS {minimum} or newer")


def judge_rest_api(api: RestApi, parameters: ApiParameters) -> Finding:
    minimum = parameters.minimum_tls_version
    fault = rest_api_fault(api, minimum, parameters.accept_disabled_endpoints)
    if fault:
        return non_compliant(f"{fault}{SUFFIX}")
    if rest_api_fault(api, minimum, accept_disabled_endpoint=False):
        return compliant(f"{api.name}: default endpoint disabled, and AcceptDisabledEndpoints; its domain names are judged")
    return compliant(f"{api.name}: TLS {minimum} or newer ({api.effective_policy})")


lambda_handler = PciApiTlsOnly.as_lambda_handler()
