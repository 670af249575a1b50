"""Adds to moto's CloudFront what changes of distributions need: a new ETag for each, VPC origins, and whole origins.

Source: CloudFront API reference (UpdateDistribution, GetVpcOrigin, Origin).
"""

from __future__ import annotations

from typing import Any

from moto.cloudfront.exceptions import CloudFrontException
from moto.cloudfront.models import CloudFrontBackend, Origin, random_id
from moto.cloudfront.responses import CloudFrontResponse
from moto.cloudfront.urls import url_paths
from moto.core.responses import ActionResult

_update, _origin = CloudFrontBackend.update_distribution, Origin.__init__


class PreconditionFailed(CloudFrontException):
    """IfMatch is not the present ETag."""

    code = "PreconditionFailed"
    message = "One or more preconditions of the request were not met."


class NoSuchVpcOrigin(CloudFrontException):
    code = "EntityNotFound"
    message = "There is no such VPC origin."


def install() -> None:
    """Teach moto what this module has. Installing again changes nothing."""
    CloudFrontBackend.update_distribution = update_distribution  # type: ignore[method-assign]
    Origin.__init__ = keep_origin  # type: ignore[method-assign]
    CloudFrontResponse.create_vpc_origin = create_vpc_origin  # type: ignore[attr-defined]
    CloudFrontResponse.get_vpc_origin = get_vpc_origin  # type: ignore[attr-defined]
    url_paths["{0}/2020-05-31/vpc-origin$"] = CloudFrontResponse.dispatch
    url_paths["{0}/2020-05-31/vpc-origin/(?P<vpc_origin_id>[^/]+)$"] = CloudFrontResponse.dispatch


def update_distribution(self: Any, dist_config: dict[str, Any], _id: str, if_match: Any) -> Any:
    found = self.distributions.get(_id)
    if found is not None and if_match and if_match != found.etag:
        raise PreconditionFailed
    distribution, location, _ = _update(self, dist_config, _id, if_match)
    distribution.etag = random_id()
    return distribution, location, distribution.etag


def keep_origin(self: Any, origin: dict[str, Any]) -> None:
    given = dict(origin)
    _origin(self, origin)
    for name, member in (
        ("s3_origin_config", "S3OriginConfig"),
        ("vpc_origin_config", "VpcOriginConfig"),
        ("origin_access_control_id", "OriginAccessControlId"),
    ):
        if member in given:
            setattr(self, name, given[member])


def _vpc_origins(self: Any) -> dict[str, dict[str, Any]]:
    origins: dict[str, dict[str, Any]] = self.backend.__dict__.setdefault("sandbox_vpc_origins", {})
    return origins


def create_vpc_origin(self: Any) -> ActionResult:
    made = {
        "Id": f"vo_{random_id()}",
        "Status": "Deployed",
        "VpcOriginEndpointConfig": self._get_param("VpcOriginEndpointConfig"),
    }
    _vpc_origins(self)[made["Id"]] = made
    return ActionResult({"VpcOrigin": made, "ETag": random_id()})


def get_vpc_origin(self: Any) -> ActionResult:
    found = _vpc_origins(self).get(self._get_param("Id"))
    if found is None:
        raise NoSuchVpcOrigin
    return ActionResult({"VpcOrigin": found, "ETag": random_id()})
