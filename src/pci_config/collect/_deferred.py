"""Parts of an item that each cost a call: made when a rule reads the part, and not at all when none does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

ABSENT = object()  # what was never configured


class Deferred(Mapping[str, Any]):
    """Members by name: `stated` ones, and those that the calls in `asked` answer when they are first read.

    A call returns ABSENT where there is no such member, and raises ClientError where it is refused: then whoever reads the
    member cannot judge, and others can.
    """

    def __init__(self, stated: Mapping[str, Any], asked: Mapping[str, Callable[[], Any]]) -> None:
        self._known = dict(stated)
        self._asked = dict(asked)

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._asked[name]()
        if self._known[name] is ABSENT:
            raise KeyError(name)
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        """A call, too: only it tells whether there is such a member."""
        try:
            self[name]  # type: ignore[index]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys((*self._known, *self._asked))
        return iter([name for name in names if name in self])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __bool__(self) -> bool:
        """Without a call: it stands for an object, and an object without members is one as well."""
        return True

    def complete(self) -> dict[str, Any]:
        return {name: self[name] for name in self}
