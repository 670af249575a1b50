"""The mutants of a module, by mutmut's operators, as JSON; runs in the environment of requirements-mutants.txt.

    .venv-mutants/bin/python scripts/mutants_of.py SAMPLE FILE

mutmut's own runner wants functions without decorators, in modules that it can name after their path. The folder of a rule has
no such name, so only its operators are used here; scripts/mutants.py runs the tests. SAMPLE 0 is all.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import NEVER_MUTATE_FUNCTION_NAMES, Mutation, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import get_ignored_lines


class Visitor(MutationVisitor):
    """Also mutates what stands under a decorator (properties, cached functions), but never the decorator."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return node.name.value in NEVER_MUTATE_FUNCTION_NAMES
        return super()._skip_node_and_children(node)


def mutants(path: Path, sample: int) -> dict[str, Any]:
    """Those in functions, in the order of the file. A sample is drawn by hash: it hardly moves when the file does."""
    code = path.read_text("utf-8")
    wrapper = MetadataWrapper(cst.parse_module(code))
    visitor = Visitor(mutation_operators, get_ignored_lines(str(path), code, wrapper), None)
    module = wrapper.visit(visitor)
    found = [mutation for mutation in visitor.mutations if _in_scope(mutation)]
    seen: Counter[str] = Counter()
    drawn = []
    for place, mutation in enumerate(found):
        change = f"{module.code_for_node(mutation.original_node)}\n{module.code_for_node(mutation.mutated_node)}"
        seen[change] += 1
        drawn.append((hashlib.sha256(f"{change}\n{seen[change]}".encode()).hexdigest(), place))
    places = sorted(place for _, place in sorted(drawn)[: sample or None])
    return {"possible": len(found), "mutants": [_described(module, code, found[place]) for place in places]}


def _in_scope(mutation: Mutation) -> bool:
    """Not the wording of a text: what a message must say is asserted by its words, and its absence is a mutant of its own.

    Nor a call that lacks one of its positional arguments: it fails by itself, and no test would earn that.
    """
    old, new = mutation.original_node, mutation.mutated_node
    if isinstance(old, cst.SimpleString) and isinstance(new, cst.SimpleString) and " " in old.value:
        return False
    if isinstance(old, cst.Call) and isinstance(new, cst.Call) and len(new.args) < len(old.args):
        (removed,) = (arg for arg in old.args if not any(arg is kept for kept in new.args))
        if removed.keyword is None:
            return False
    return isinstance(mutation.contained_by_top_level_function, cst.FunctionDef)


def _described(module: cst.Module, code: str, mutation: Mutation) -> dict[str, Any]:
    mutated = module.deep_replace(mutation.original_node, mutation.mutated_node).code  # type: ignore[arg-type]
    before, after = code.splitlines(), mutated.splitlines()
    first = next((n for n, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), 0)
    rest = _equal_at_end(before[first:], after[first:])
    removed, added = before[first : len(before) - rest], after[first : len(after) - rest]
    return {"line": first + 1, "before": _joined(removed), "after": _joined(added), "code": mutated}


def _equal_at_end(before: list[str], after: list[str]) -> int:
    pairs = zip(reversed(before), reversed(after), strict=False)
    return next((n for n, (old, new) in enumerate(pairs) if old != new), min(len(before), len(after)))


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)


if __name__ == "__main__":
    print(json.dumps(mutants(Path(sys.argv[2]), int(sys.argv[1]))))
