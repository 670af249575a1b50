"""Which ARNs a document takes for its own account's and Region's."""

from __future__ import annotations

import pytest

from pci_config.runbook import Refused, require_own

EVENT = {"AccountId": "123456789012", "Region": "eu-west-1"}
OWN = [
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/0123456789abcdef",
    "arn:aws:logs:eu-west-1:123456789012:log-group:trail:*",
    "arn:aws:iam::123456789012:role/pci-config-trail-to-logs",
    "arn:aws:cloudfront::123456789012:distribution/E1",
    "arn:aws:apigateway:eu-west-1::/restapis/a/stages/b",
    "arn:aws:s3:::cards",
    "arn:aws:s3:eu-west-1:123456789012:accesspoint/cards",
]
FOREIGN = [
    "arn:aws:elasticloadbalancing::123456789012:loadbalancer/app/shop/0123456789abcdef",
    "arn:aws:elasticloadbalancing:eu-west-1::loadbalancer/app/shop/0123456789abcdef",
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/shop/0123456789abcdef",
    "arn:aws:elasticloadbalancing:eu-west-1:210987654321:loadbalancer/app/shop/0123456789abcdef",
    "arn:aws:elasticloadbalancing:::loadbalancer/app/shop/0123456789abcdef",
    "arn:aws:iam:::role/trail",
    "arn:aws:iam::210987654321:role/trail",
    "arn:aws:cloudfront:::distribution/E1",
    "arn:aws:apigateway:::/restapis/a",
    "arn:aws:apigateway:us-east-1::/restapis/a",
    "arn:aws:s3:us-east-1:123456789012:accesspoint/cards",
    "arn:aws:s3::210987654321:accesspoint/cards",
]


@pytest.mark.parametrize("arn", OWN)
def test_own_arns_pass_also_where_their_service_leaves_a_part_empty(arn: str) -> None:
    require_own(EVENT, arn)


@pytest.mark.parametrize("arn", FOREIGN)
def test_arns_of_others_and_arns_that_leave_open_whose_they_are_do_not(arn: str) -> None:
    with pytest.raises(Refused, match=r" is not in 123456789012 and eu-west-1$"):
        require_own(EVENT, arn)


@pytest.mark.parametrize(
    "text", ["", "shop", "arn:aws:s3", "arn:aws::eu-west-1:123456789012:x", "urn:aws:s3:::cards", "arn:aws:s3:::"]
)
def test_what_is_no_arn_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Refused, match=r" is no ARN$"):
        require_own(EVENT, text)
