"""Several questions at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pci_config.parallel import AT_ONCE, each


def test_answers_keep_the_order_and_are_asked_at_once() -> None:
    together = threading.Barrier(AT_ONCE)

    def ask(number: int) -> int:
        together.wait(timeout=10)  # would break if one waited for another
        return number * 10

    assert list(each(ask, range(AT_ONCE))) == [number * 10 for number in range(AT_ONCE)]


def test_a_refusal_is_raised_after_what_came_before_it() -> None:
    def ask(number: int) -> int:
        if number == 2:
            raise PermissionError("denied")
        return number

    answers: Iterator[int] = each(ask, range(1000))
    assert [next(answers), next(answers)] == [0, 1]
    with pytest.raises(PermissionError, match="denied"):
        next(answers)
