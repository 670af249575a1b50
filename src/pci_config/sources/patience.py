"""Calls that wait when AWS throttles: the same request again, page by page, so that nothing is asked twice or lost."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

ATTEMPTS = 9
LONGEST_WAIT = 30.0  # seconds
# what AWS services call it (botocore's own list of throttling and transient errors)
PASSING = frozenset(
    {
        "BandwidthLimitExceeded",
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)


class OutOfPatienceError(Exception):
    """A call was refused as often as we were ready to try."""


class Patient:
    """A client's calls, each tried again after a growing pause while AWS says that it is busy.

    One instance may be shared by threads. The client itself should not retry (`total_max_attempts` 1). `asked` counts every
    request that was sent, by operation.
    """

    def __init__(self, client: Any, attempts: int = ATTEMPTS, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client, self._attempts, self._sleep = client, attempts, sleep
        self._lock = threading.Lock()
        self.asked: Counter[str] = Counter()

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """The reply. Raises OutOfPatienceError, or what AWS answered if waiting does not help."""
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(pause(attempt))
            with self._lock:
                self.asked[operation] += 1
            try:
                reply: dict[str, Any] = getattr(self._client, operation)(**parameters)
            except (ClientError, HTTPClientError, NoConnectionError) as error:
                refused = _passing(error)
                if refused is None:
                    raise
            else:
                return reply
        raise OutOfPatienceError(f"still refused after {self._attempts} attempts ({refused})")

    def pages(self, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Page after page; a page that is refused is asked for again by its own token."""
        token: dict[str, str] = {}
        while True:
            reply = self.call(operation, **parameters, **token)
            yield reply
            if not reply.get("NextToken"):
                return
            token = {"NextToken": reply["NextToken"]}


def pause(attempt: int) -> float:
    """Seconds before an attempt (the first is 0): doubling up to LONGEST_WAIT, with a share of chance so that threads part."""
    longest: float = min(LONGEST_WAIT, 0.5 * 2**attempt)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret


def _passing(error: ClientError | HTTPClientError | NoConnectionError) -> str | None:
    """The error's name when it passes by waiting; None when it does not."""
    if not isinstance(error, ClientError):
        return type(error).__name__
    code = str(error.response.get("Error", {}).get("Code"))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code if code in PASSING or status >= 500 else None
