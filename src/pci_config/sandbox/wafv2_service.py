"""Adds to moto's AWS WAF that only a web ACL that exists can log.

Source: AWS WAF API reference (PutLoggingConfiguration: WAFNonexistentItemException).
"""

from __future__ import annotations

from typing import Any

from moto.wafv2.exceptions import WAFNonexistentItemException
from moto.wafv2.models import GLOBAL_REGION, WAFV2Backend, wafv2_backends

_put = WAFV2Backend.put_logging_configuration


def install() -> None:
    """Teach moto this. Installing again changes nothing."""
    WAFV2Backend.put_logging_configuration = put_logging_configuration  # type: ignore[method-assign, assignment]


def put_logging_configuration(self: Any, arn: str, *members: Any) -> Any:
    regions = wafv2_backends[self.account_id]
    if arn not in self.wacls and arn not in regions[GLOBAL_REGION].wacls:
        raise WAFNonexistentItemException
    return _put(self, arn, *members)
