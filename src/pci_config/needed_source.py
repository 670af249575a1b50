"""Leaves of a Python source what one function needs: a document has to fit into 64 KB, and needs only what it runs.

Works on top-level definitions, by name. What is neither a definition nor an import (a loop that fills a table, say) stays.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator


def needed(source: str, name: str) -> str:
    """The source without the definitions and imports that the top-level `name` does not lead to.

    Comments and docstrings are left out as well. Raises KeyError when the name is not defined.
    """
    body = ast.parse(source).body
    defining: dict[str, list[ast.stmt]] = {}
    waiting: list[ast.stmt] = []
    for node in body:
        names = list(_defined(node))
        for defined in names:
            defining.setdefault(defined, []).append(node)
        if not names:
            waiting.append(node)
    waiting += defining[name]
    kept: set[ast.stmt] = set()
    used: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node not in kept:
            kept.add(node)
            found = _used(node)
            used |= found
            waiting += [other for each in found for other in defining.get(each, [])]
    imports: set[str] = set()
    blocks = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports |= {_with(node, alias) for alias in node.names if _bound(alias) in used}
        elif node in kept:
            blocks.append(ast.unparse(_without_docstrings(node)))
    return "\n".join(sorted(imports)) + "\n\n" + "\n".join(blocks) + "\n"


def _defined(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (_bound(alias) for alias in names)


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.split(".")[0]


def _with(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    """The import of this name alone."""
    one = ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level)
    return ast.unparse(one)


def _used(node: ast.stmt) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _without_docstrings(node: ast.stmt) -> ast.stmt:
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(part, clean=False) is not None:
            part.body = part.body[1:] or [ast.Pass()]
    return node
