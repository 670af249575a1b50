"""Adds to moto's Classic Load Balancers that attributes of one that is not there are refused, where moto fails.

Source: Elastic Load Balancing API reference (2012-06-01), DescribeLoadBalancerAttributes and ModifyLoadBalancerAttributes,
error LoadBalancerNotFound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.elb.exceptions import LoadBalancerNotFoundError
from moto.elb.responses import ELBResponse

_describe = ELBResponse.describe_load_balancer_attributes
_modify = ELBResponse.modify_load_balancer_attributes


def install() -> None:
    """Teach moto the refusals. Installing again changes nothing."""
    ELBResponse.describe_load_balancer_attributes = _of_present(_describe)  # type: ignore[method-assign]
    ELBResponse.modify_load_balancer_attributes = _of_present(_modify)  # type: ignore[method-assign]


def _of_present(answer: Callable[[Any], Any]) -> Any:
    def answered(self: Any) -> Any:
        name = self._get_param("LoadBalancerName")
        if self.elb_backend.get_load_balancer(name) is None:
            raise LoadBalancerNotFoundError(name)
        return answer(self)

    return answered
