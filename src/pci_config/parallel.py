"""Several questions to AWS at once: each takes a round trip in which the others need not wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 4  # within the connections that a client keeps, also when several accounts are read


def each(ask: Callable[[T], R], things: Iterable[T]) -> Iterator[R]:
    """The answers in the order of the things; the first refusal is raised, and what has not been asked by then is not asked."""
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield from pool.map(ask, things)
    finally:
        pool.shutdown(cancel_futures=True)
