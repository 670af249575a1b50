"""Adds to moto's S3 that the smallest object which moves between storage classes is kept with the lifecycle, not fixed.

Source: S3 API reference, PutBucketLifecycleConfiguration: a put without the header sets `all_storage_classes_128K`.
"""

from __future__ import annotations

from typing import Any

from moto.s3.responses import S3Response

HEADER = "x-amz-transition-default-minimum-object-size"
DEFAULT = "all_storage_classes_128K"
_put = S3Response._bucket_response_put
_get = S3Response.get_bucket_lifecycle


def install() -> None:
    """Teach moto to keep it. Installing again changes nothing."""
    S3Response._bucket_response_put = bucket_response_put  # type: ignore[method-assign]
    S3Response.get_bucket_lifecycle = get_bucket_lifecycle  # type: ignore[method-assign]


def bucket_response_put(self: Any, request: Any, bucket_name: str, querystring: Any) -> Any:
    answer = _put(self, request, bucket_name, querystring)
    if "lifecycle" in querystring:
        _kept(self, bucket_name)["size"] = request.headers.get(HEADER) or DEFAULT
    return answer


def get_bucket_lifecycle(self: Any) -> Any:
    status, headers, body = _get(self)
    return status, {**headers, HEADER: _kept(self, self.bucket_name).get("size", DEFAULT)}, body


def _kept(self: Any, bucket_name: str) -> dict[str, str]:
    """Beside the bucket: it goes when the bucket does."""
    found: dict[str, str] = self.backend.head_bucket(bucket_name).__dict__.setdefault("sandbox_lifecycle", {})
    return found
