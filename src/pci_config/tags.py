"""Tags as AWS's APIs list them. Standard library only: inlined into documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def tag_map(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """`[{"Key": …, "Value": …}]` as a mapping; a tag without value has an empty one."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}
