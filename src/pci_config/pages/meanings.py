"""What a rule parameter means, in the words beside its declaration or in the rule's decision table."""

from __future__ import annotations

import ast
import inspect
import re
import tokenize
from pathlib import Path

from pci_config.rule import PciRule, parameter_name


def meanings(rule: type[PciRule]) -> dict[str, str]:
    """Meaning by parameter name: the text below the field, a comment at it, what the rule's table says of it, or its name."""
    fields = list(getattr(rule.parameters, "__dataclass_fields__", {}))
    if not fields:
        return {}
    declared = _declared(rule.parameters)
    table = inspect.getdoc(rule) or ""
    return {
        parameter_name(field): declared.get(field) or _mentioned(table, parameter_name(field)) or field.replace("_", " ")
        for field in fields
    }


def _declared(parameters: type) -> dict[str, str]:
    path = Path(inspect.getfile(parameters))
    tree = ast.parse(path.read_text("utf-8"))
    comments = _comments(path)
    (body,) = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == parameters.__name__]
    found = {}
    for position, statement in enumerate(body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        below = body[position + 1] if position + 1 < len(body) else None
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            text = below.value.value
        else:
            text = (
                comments.get(statement.end_lineno or 0) or comments.get(statement.lineno) or _above(comments, statement.lineno)
            )
        if text:
            found[statement.target.id] = " ".join(text.split())
    return found


def _above(comments: dict[int, str], line: int) -> str:
    """The block of comment lines that ends right above a line and shares it with no code."""
    block: list[str] = []
    while comments.get(line - 1, "").startswith("\n"):
        line -= 1
        block.insert(0, comments[line].strip())
    return " ".join(block)


def _comments(path: Path) -> dict[int, str]:
    """Comments by line; one that has its line to itself begins with a line break."""
    found = {}
    with path.open("rb") as stream:
        for token in tokenize.tokenize(stream.readline):
            text = token.string.lstrip("# ")
            if token.type == tokenize.COMMENT and not text.startswith(("noqa", "type:")):
                alone = token.line[: token.start[1]].strip() == ""
                found[token.start[0]] = ("\n" if alone else "") + text
    return found


def _mentioned(table: str, name: str) -> str:
    """What the decision table says of a parameter named in it: its first line, or the sentence."""
    for line in table.splitlines():
        if f"`{name}`" in line:
            if line.startswith("|"):
                return ": ".join(cell.strip() for cell in line.strip("| ").split(" | "))
            (sentence, *_) = [part for part in re.split(r"(?<=[.;]) ", line) if f"`{name}`" in part]
            return sentence.strip()
    return ""
