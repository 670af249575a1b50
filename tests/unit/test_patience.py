"""A refused call is tried again, the same one; what waiting does not help is said at once."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from pci_config.sources.patience import LONGEST_WAIT, PASSING, OutOfPatienceError, Patient, pause


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Select")  # type: ignore[typeddict-item]


class Client:
    """Answers from a script, and remembers what it was asked."""

    def __init__(self, *script: Any) -> None:
        self.script, self.asked = list(script), []

    def select(self, **parameters: Any) -> Any:
        self.asked.append(parameters)
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_refused_page_is_asked_for_again_by_its_token() -> None:
    pages = {"NextToken": "b", "Results": [1]}, {"NextToken": "c", "Results": [2]}, {"Results": [3]}
    client = Client(pages[0], refusal("ThrottlingException"), refusal("TooManyRequestsException"), pages[1], pages[2])
    waits: list[float] = []
    calls = Patient(client, sleep=waits.append)
    assert [page["Results"] for page in calls.pages("select", Limit=1)] == [[1], [2], [3]]
    assert [asked.get("NextToken") for asked in client.asked] == [None, "b", "b", "b", "c"]
    assert all(asked["Limit"] == 1 for asked in client.asked)
    assert len(waits) == 2
    assert calls.asked == {"select": 5}


@pytest.mark.parametrize(
    "error",
    [
        *map(refusal, sorted(PASSING)),
        refusal("Whatever", 500),
        refusal("Whatever", 503),
        EndpointConnectionError(endpoint_url="https://x"),
        ReadTimeoutError(endpoint_url="https://x"),
    ],
)
def test_what_passes_is_waited_for_and_given_up_in_the_end(error: Exception) -> None:
    assert Patient(Client(error, {"ok": 1}), sleep=lambda _: None).call("select") == {"ok": 1}
    client = Client(*[error] * 9)
    with pytest.raises(OutOfPatienceError, match="still refused after 3 attempts"):
        Patient(client, attempts=3, sleep=lambda _: None).call("select")
    assert len(client.asked) == 3


@pytest.mark.parametrize(
    "error", [refusal("AccessDeniedException"), refusal("InvalidNextTokenException"), refusal("Whatever", 499), KeyError()]
)
def test_what_does_not_pass_is_not_waited_for(error: Exception) -> None:
    client = Client(error)
    with pytest.raises(type(error)):
        Patient(client, sleep=lambda _: pytest.fail("waited")).call("select")
    assert len(client.asked) == 1


def test_waits_double_up_to_a_limit() -> None:
    for attempt, longest in ((1, 1), (2, 2), (3, 4), (5, 16), (6, LONGEST_WAIT), (60, LONGEST_WAIT)):
        waits = [pause(attempt) for _ in range(100)]
        assert longest / 2 <= min(waits) <= max(waits) <= longest
        assert len(set(waits)) > 1
