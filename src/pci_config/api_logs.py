"""Access logs of API Gateway's stages: what the rule and its document agree on.

Sources: API Gateway developer guide, access logging variables of REST, HTTP and WebSocket APIs; PCI DSS 4.0.1 10.2.2. Standard
library only: inlined into the document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# What an entry must tell (PCI DSS 4.0.1 10.2.2), and the $context variables of API Gateway that tell it
TOLD_BY: Mapping[str, str] = {
    "who called": (
        r"identity\.(caller|user|userArn|accountId|principalOrgId|cognitoIdentityId|cognitoAuthenticationProvider|apiKeyId"
        r"|clientCert\.\w+(\.\w+)?)|authorizer\.[\w.]+|authenticate\.\w+"
    ),
    "the time": r"requestTime(Epoch)?",
    "the outcome": r"status|integrationStatus|integration\.(status|integrationStatus)",
    "the source": r"identity\.sourceIp|identity\.vpcId|identity\.vpceId",
    "what was called": r"path|resourcePath|routeKey|resourceId|eventType",
}
API_KEY = re.compile(r"\$context\.identity\.apiKey(?![A-Za-z])")
# What is added for each that is missing: variables that name routes, not paths, since a path may hold card data
ADDED: Mapping[str, Mapping[str, str]] = {
    "who called": {"userArn": "$context.identity.userArn", "principal": "$context.authorizer.principalId"},
    "the time": {"requestTime": "$context.requestTime"},
    "the outcome": {"status": "$context.status"},
    "the source": {"sourceIp": "$context.identity.sourceIp"},
    "what was called": {"routeKey": "$context.routeKey"},
}
ADDED_REST: Mapping[str, Mapping[str, str]] = {
    **ADDED,
    "who called": {**ADDED["who called"], "apiKeyId": "$context.identity.apiKeyId"},
    "what was called": {"httpMethod": "$context.httpMethod", "resourcePath": "$context.resourcePath"},
}
FIRST_FORMAT = '{"requestId":"$context.requestId"}'  # API Gateway takes no format without a request's id


def untold(log_format: str) -> list[str]:
    """What an entry of this format does not tell."""
    return [what for what, told_by in TOLD_BY.items() if not re.search(rf"\$context\.({told_by})(?![A-Za-z])", log_format)]


def format_faults(log_format: str) -> list[str]:
    """What an entry of this format does not tell, or must not."""
    missing = untold(log_format)
    faults = [f"the log format leaves out {', '.join(missing)}"] if missing else []
    if API_KEY.search(log_format):
        faults.append("the log format writes API keys themselves; use $context.identity.apiKeyId")
    return faults


def completed_format(log_format: str, added: Mapping[str, Mapping[str, str]]) -> str:
    """The format with what it leaves out at its end, and the id of an API key in the place of the key; the rest stays.

    Raises ValueError for XML, which has no place for more at its end.
    """
    kept = API_KEY.sub("$context.identity.apiKeyId", log_format) or FIRST_FORMAT
    fields = {name: variable for what in untold(kept) for name, variable in added[what].items()}
    if not fields:
        return kept
    text = kept.rstrip()
    if text.startswith("<"):
        raise ValueError("the log format is XML")
    if not (text.startswith("{") and text.endswith("}")):
        return " ".join((text, *fields.values()))
    inner = text[:-1].rstrip()
    pairs = [f'"{_free(name, text)}":"{variable}"' for name, variable in fields.items()]
    return inner + ("" if inner == "{" else ",") + ",".join(pairs) + "}"


def _free(name: str, text: str) -> str:
    """A member's name that the object does not have yet."""
    while f'"{name}"' in text:
        name = f"pci_{name}"
    return name
