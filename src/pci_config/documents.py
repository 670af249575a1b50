"""Builds the Automation documents: each script, with what it needs of the modules it decides by, and what every document has.

A script imports from `pci_config` as any module does, so it is tested as plain Python. In the built document those imports
are replaced by the modules' own source: a document decides by exactly the code of the rule.
"""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pci_config.catalogue import PACKAGE, CatalogueError
from pci_config.exceptions import ExceptionRegister
from pci_config.needed_source import needed
from pci_config.recording_needs import of_the_catalogue
from pci_config.requirements import read_yaml

SETTINGS_LINE = re.compile(r"^SETTINGS: dict(\[.*\])? = \{\}.*$", re.MULTILINE)
EXCEPTIONS_LINE = re.compile(r"^EXCEPTIONS: list(\[.*\])? = \[\].*$", re.MULTILINE)
EXCEPTION_FIELDS = ("rule", "accounts", "regions", "resource", "ticket", "created", "expires")  # what a document needs
NO_EXCEPTIONS = ExceptionRegister()
NO_CONSTANTS: Mapping[str, str] = {}
MAX_DOCUMENT_BYTES = 64 * 1024  # SSM document quota
ROOM_BYTES = 8 * 1024  # kept for exceptions and for an organization of many accounts
INDENTATION = re.compile(r"^(?: {4})+", re.MULTILINE)
NO_SETTINGS = "SETTINGS = json.loads('{}')"
ARCHIVE_SETTINGS = ("Account", "Buckets", "TrustedDestinations")
# attributes of `Settings` by which a script reads a part of rdk.json
READ_SETTINGS = {"network_tiers": "NetworkTiers", "accounts": "Accounts", "accounts_of": "Accounts", "regions": "Regions"}
STEP = "Remediate"
OUTPUTS = {
    "Outcome": "String", "Changed": "Boolean", "Message": "String", "Calls": "String", "Before": "String", "After": "String",
    "Evidence": "String",
}  # fmt: skip
ASSUME_ROLE = {
    "type": "AWS::IAM::Role::Arn",
    "description": "Role of this document",
    "allowedPattern": r"^arn:(aws|aws-us-gov|aws-cn):iam::\d{12}:role/[\w+=,.@/-]+$",
}
_BUCKET = {"type": "String", "allowedPattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"}
_YES_OR_NO = {"type": "String", "allowedValues": ["true", "false"]}
FIX_PARAMETERS = {
    "DryRun": {**_YES_OR_NO, "description": "true: list the calls only", "default": "true"},
    "EvidenceBucket": {
        **_BUCKET,
        "description": "Versioned bucket that keeps the states before and after; with none only a dry run is possible",
        "default": "none",
    },
    "AllowManaged": {
        **_YES_OR_NO,
        "description": "true: change the resource although a tag says that CloudFormation or Terraform manages it",
        "default": "false",
    },
}
RESTORE_PARAMETERS = {
    "FixExecutionId": {
        "type": "String",
        "description": "Execution that changed the resource",
        "allowedPattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    },
    "DryRun": FIX_PARAMETERS["DryRun"],
    "EvidenceBucket": {**_BUCKET, "description": "Bucket in which that execution recorded the states before and after"},
}
MODULE_ORDER = ("settings",)  # modules that others may import come first


def document_names(folder: Path) -> list[str]:
    """The fixes: one for each folder."""
    return sorted(path.parent.name for path in folder.glob("*/document.yaml"))


def restore_names(folder: Path) -> dict[str, str]:
    """Every fix that has a way back: its name to the name of the document that restores."""
    return {path.parent.name: read_yaml(path)["name"] for path in sorted(folder.glob("*/restore.yaml"))}


def build_document(folder: Path, settings: Mapping[str, Any], exceptions: ExceptionRegister = NO_EXCEPTIONS) -> str:
    """The fix of a folder as YAML text, ready for CreateDocument.

    `settings` is the content of rdk.json; `exceptions` are those from the rules that this document fixes.

    Raises CatalogueError when the script cannot be inlined or the document is larger than SSM takes.
    """
    return _document(folder / "document.yaml", "handler", FIX_PARAMETERS, settings, exceptions)


def build_restore(folder: Path, settings: Mapping[str, Any]) -> str:
    """The document that puts back what the fix of this folder changed. Raises CatalogueError."""
    fix = {"FixDocument": folder.name}
    return _document(folder / "restore.yaml", "restore", RESTORE_PARAMETERS, settings, constants=fix)


def _document(
    path: Path,
    handler: str,
    common: Mapping[str, Any],
    settings: Mapping[str, Any],
    exceptions: ExceptionRegister = NO_EXCEPTIONS,
    constants: Mapping[str, str] = NO_CONSTANTS,
) -> str:
    source, fix = read_yaml(path), path.parent.name
    script = inlined_script(path.parent / "script.py", handler, settings, exceptions)
    passed = {**(source.get("parameters") or {}), **common}
    payload = {
        **{parameter: f"{{{{ {parameter} }}}}" for parameter in passed},
        "Document": source.get("name", fix),
        "ExecutionId": "{{ automation:EXECUTION_ID }}",
        "AccountId": "{{ global:ACCOUNT_ID }}",
        "Region": "{{ global:REGION }}",
        **constants,
    }
    step: dict[str, Any] = {
        "name": STEP,
        "action": "aws:executeScript",
        "description": "Read, judge, record, change, verify, report",
        "timeoutSeconds": 600,
        "inputs": {"Runtime": "python3.11", "Handler": handler, "InputPayload": payload, "Script": script},
        "outputs": [{"Name": output, "Selector": f"$.Payload.{output}", "Type": kind} for output, kind in OUTPUTS.items()],
        "isEnd": True,
    }
    document = {
        "schemaVersion": "0.3",
        "description": source["description"],
        "assumeRole": "{{ AutomationAssumeRole }}",
        "parameters": {"AutomationAssumeRole": ASSUME_ROLE, **passed},
        "mainSteps": [step],
        "outputs": [f"{STEP}.{output}" for output in OUTPUTS],
    }
    text = _written(fix, document)
    if len(text.encode()) > MAX_DOCUMENT_BYTES - ROOM_BYTES:
        step["inputs"]["Script"] = narrowed(script)
        text = _written(fix, document)
    if len(text.encode()) >= MAX_DOCUMENT_BYTES:
        many = f" ({len(exceptions.entries)} exceptions are part of it)" if exceptions.entries else ""
        raise CatalogueError(f"{path}: {len(text.encode())} bytes when built{many}; Systems Manager takes {MAX_DOCUMENT_BYTES}")
    return text


def _written(fix: str, document: Mapping[str, Any]) -> str:
    head = f"# Generated by `pci-config build` from remediation/{fix}; do not edit.\n"
    return head + yaml.dump(document, Dumper=_BlockDumper, sort_keys=False, width=120, allow_unicode=False)


def narrowed(script: str) -> str:
    """The script with one space for each level of indentation. No text of several lines is in it: `needed` writes it anew."""
    return INDENTATION.sub(lambda found: " " * (len(found[0]) // 4), script)


def inlined_script(path: Path, handler: str, settings: Mapping[str, Any], exceptions: ExceptionRegister = NO_EXCEPTIONS) -> str:
    """The script with every `from pci_config.x import …` replaced by what the handler needs of that module's source."""
    modules = imported_modules(path.read_text("utf-8"), path)
    order = sorted(modules, key=lambda name: (name not in MODULE_ORDER, _depth(name, modules), name))
    entries = [{name: entry[name] for name in EXCEPTION_FIELDS} for entry in exceptions.as_json()]
    stated = f"EXCEPTIONS = json.loads({json.dumps(json.dumps(entries))})"
    parts = [EXCEPTIONS_LINE.sub(lambda _: stated, _stripped(modules[name], PACKAGE / f"{name}.py")) for name in order]
    source = _stripped(path.read_text("utf-8"), path)
    source = SETTINGS_LINE.sub(lambda _: f"import json\n{NO_SETTINGS}", source)
    joined = "\n".join((*parts, source))
    _check(joined, path)
    text = "from __future__ import annotations\n\n" + needed(joined, handler)
    if NO_SETTINGS in text:
        used = _settings_for(text, settings)
        text = text.replace(NO_SETTINGS, f"SETTINGS = json.loads({json.dumps(used, sort_keys=True)!r})")
    if "{{" in text:
        raise CatalogueError(f"{path}: '{{{{' in a script is taken for a variable by Automation; write it another way")
    return text


def _settings_for(script: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Of rdk.json, only what the script reads: there may be hundreds of accounts, and a document has to fit."""
    code = "\n".join(
        ast.unparse(node) for node in ast.parse(script).body if not (isinstance(node, ast.ClassDef) and node.name == "Settings")
    )
    archive = {key: value for key, value in settings.get("LogArchive", {}).items() if key in ARCHIVE_SETTINGS}
    used: dict[str, Any] = {"LogArchive": archive}
    used |= {key: settings[key] for read, key in READ_SETTINGS.items() if f".{read}" in code and key in settings}
    if "RecordedTypes" in code:  # knowledge of the catalogue, which only the recorder's document needs
        types = {name: need.document() for name, need in of_the_catalogue().items()}
        used |= {"HomeRegion": settings.get("HomeRegion", ""), "RecordedTypes": types}
    return used


def imported_modules(source: str, path: Path) -> dict[str, str]:
    """Source by name of every module of this package that the source imports, directly or through another."""
    modules: dict[str, str] = {}
    _gather(source, path, modules)
    return modules


def _gather(source: str, path: Path, modules: dict[str, str]) -> None:
    for node in _imports(source):
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "pci_config" for alias in node.names):
            raise CatalogueError(
                f"{path}: line {node.lineno}: write `from pci_config.module import name`: the build follows that form"
            )
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pci_config"):
            if any(alias.asname for alias in node.names) or node.module == "pci_config":
                raise CatalogueError(
                    f"{path}: line {node.lineno}: write `from pci_config.module import name`: the build follows that form"
                )
            name = (node.module or "").removeprefix("pci_config.")
            if name not in modules:
                try:
                    modules[name] = (PACKAGE / f"{name}.py").read_text("utf-8")
                except OSError:
                    raise CatalogueError(f"{path}: line {node.lineno}: there is no module pci_config.{name}") from None
                _gather(modules[name], PACKAGE / f"{name}.py", modules)


@functools.lru_cache(256)  # many documents stand on the same modules
def _imports(source: str) -> tuple[ast.Import | ast.ImportFrom, ...]:
    return tuple(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom))


def _depth(name: str, modules: Mapping[str, str]) -> int:
    """How many levels of other modules a module stands on: those come before it."""
    needed = [
        (node.module or "").removeprefix("pci_config.")
        for node in _imports(modules[name])
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pci_config.")
    ]
    return 1 + max((_depth(other, modules) for other in needed), default=0)


@functools.lru_cache(256)
def _stripped(source: str, path: Path) -> str:
    """The source without its docstring at the top, its `__future__` import and its imports from pci_config."""
    tree = ast.parse(source, str(path))
    drop: set[int] = set()
    for position, node in enumerate(tree.body):
        docstring = position == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ours = isinstance(node, ast.ImportFrom) and (
            node.module == "__future__" or (node.module or "").startswith("pci_config")
        )
        if docstring or ours:
            drop.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return "\n".join(line for number, line in enumerate(source.splitlines(), 1) if number not in drop)


def _check(text: str, path: Path) -> None:
    """One namespace holds all modules: a name defined twice would silently replace the first."""
    seen: dict[str, int] = {}
    for node in ast.parse(text).body:
        names = []
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        for name in names:
            if name in seen:
                raise CatalogueError(f"{path}: {name!r} is defined by two of the inlined modules; rename one")
            seen[name] = node.lineno


def yaml_text(value: Any, compact: bool = False) -> str:
    """The value as YAML for people and for CloudFormation: no aliases, texts of several lines as literal blocks.

    Compact: innermost lists and maps stand on one line.
    """
    flow = None if compact else False
    return yaml.dump(value, Dumper=_BlockDumper, sort_keys=False, width=120, default_flow_style=flow)


class _BlockDumper(yaml.SafeDumper):
    """Writes texts of several lines as literal blocks, so that a script reads as a script."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class passes it
        return True


def _literal(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if "\n" in text:
        lines = "\n".join(line.rstrip() for line in text.splitlines())
        return dumper.represent_scalar("tag:yaml.org,2002:str", lines + "\n" * text.endswith("\n"), style="|")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text)


_BlockDumper.add_representer(str, _literal)
