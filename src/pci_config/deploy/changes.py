"""One thing that a deployment does, or finds as it should be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

CREATE, UPDATE, DELETE, UNCHANGED, RETRY = "create", "update", "delete", "unchanged", "retry"
ACTIONS = (CREATE, UPDATE, RETRY, DELETE, UNCHANGED)


@dataclass(frozen=True)
class Change:
    """`kind`: stack, stack set or pack; `region`: where it is administered; `differences`: what is to change, in words."""

    kind: str
    name: str
    region: str
    action: str
    differences: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "differences": list(self.differences)}

    def __str__(self) -> str:
        told = f": {'; '.join(self.differences)}" if self.differences else ""
        return f"{self.action} {self.kind} {self.name} in {self.region}{told}"
