"""Values in Automation documents: typed parameters, `{{ }}` substitution, outputs selected by JSONPath.

Semantics: AWS Systems Manager user guide, "Automation action reference", "Data types", "System variables", and the API
reference of StartAutomationExecution, which hands every parameter over as a list of texts.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jsonpath_ng.ext.parser import ExtendedJsonPathParser

VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
PARAMETER_TYPES = ("String", "StringList", "Boolean", "Integer", "StringMap", "MapList")
OUTPUT_TYPES = ("String", "StringList", "Boolean", "Integer", "StringMap", "MapList")
MAX_PARAMETERS, MAX_VALUES, MAX_NAME, MAX_VALUE = 200, 50, 50, 512  # StartAutomationExecution, API reference
GLOBALS = ("DATE", "DATE_TIME", "REGION", "ACCOUNT_ID", "AWS_PARTITION")


class DocumentError(Exception):
    """The document holds something that Automation would refuse, or that the sandbox does not imitate. Nothing ran."""


class ParameterRefusedError(Exception):
    """StartAutomationExecution would answer InvalidAutomationExecutionParametersException; the execution does not start."""


class StepFailedError(Exception):
    """A step failed; the message is its FailureMessage."""


def known_type(name: str) -> bool:
    """AWS's resource types (AWS::IAM::Role::Arn) are texts with a picker in the console; List<…> is a list of them."""
    return name in PARAMETER_TYPES or bool(re.fullmatch(r"AWS::[A-Za-z0-9:]+|List<AWS::[A-Za-z0-9:]+>", name))


def started_parameters(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The typed parameters of an execution. Raises ParameterRefusedError."""
    _within_limits(given)
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise ParameterRefusedError(f"parameters {', '.join(unknown)} are not declared in the document")
    values = {}
    for name, spec in declared.items():
        if name in given:
            values[name] = _typed(name, spec, list(given[name]))
        elif "default" in spec:
            values[name] = spec["default"]
        else:
            raise ParameterRefusedError(f"parameter {name} has no value and no default")
        _check(name, spec, values[name])
    return values


def _within_limits(given: Mapping[str, Sequence[str]]) -> None:
    if len(given) > MAX_PARAMETERS:
        raise ParameterRefusedError(f"{len(given)} parameters; {MAX_PARAMETERS} are taken")
    for name, values in given.items():
        if not 1 <= len(name) <= MAX_NAME or len(values) > MAX_VALUES:
            raise ParameterRefusedError(f"parameter {name}: a name has 1 to {MAX_NAME} characters, and {MAX_VALUES} values")
        for text in values:
            if isinstance(text, str) and not 1 <= len(text) <= MAX_VALUE:
                raise ParameterRefusedError(f"parameter {name}: a value has 1 to {MAX_VALUE} characters, not {len(text)}")


def _typed(name: str, spec: Mapping[str, Any], given: list[str]) -> Any:
    if not all(isinstance(text, str) for text in given):
        raise ParameterRefusedError(f"parameter {name}: values are texts")
    kind = spec["type"]
    if kind == "StringList" or kind.startswith("List<"):
        return given
    if len(given) != 1:
        raise ParameterRefusedError(f"parameter {name}: {len(given)} values for one {kind}")
    text = given[0]
    try:
        if kind == "Boolean":
            return {"true": True, "false": False}[text.lower()]
        if kind == "Integer":
            return int(text)
        if kind in ("StringMap", "MapList"):
            return json.loads(text)
    except (KeyError, ValueError):
        raise ParameterRefusedError(f"parameter {name}: {text!r} is no {kind}") from None
    return text


def _check(name: str, spec: Mapping[str, Any], value: Any) -> None:
    entries = value if isinstance(value, list) else [value]
    if "allowedValues" in spec and any(entry not in spec["allowedValues"] for entry in entries):
        raise ParameterRefusedError(f"parameter {name}: {value!r} is none of {spec['allowedValues']}")
    for entry in entries:
        # Java's regular expressions, which Automation uses, match the whole text
        if "allowedPattern" in spec and not re.fullmatch(spec["allowedPattern"], str(entry)):
            raise ParameterRefusedError(f"parameter {name}: {entry!r} does not match {spec['allowedPattern']}")
        if not spec.get("minChars", 0) <= len(str(entry)) <= spec.get("maxChars", len(str(entry))):
            raise ParameterRefusedError(f"parameter {name}: {len(str(entry))} characters")
    if isinstance(value, list) and not spec.get("minItems", 0) <= len(value) <= spec.get("maxItems", len(value)):
        raise ParameterRefusedError(f"parameter {name}: {len(value)} items")


def substituted(value: Any, names: Mapping[str, Any]) -> Any:
    """The value with every `{{ name }}` replaced. A text that is one variable only keeps the variable's type."""
    if isinstance(value, str):
        whole = VARIABLE.fullmatch(value.strip())
        if whole:
            return _looked_up(whole.group(1), names)
        return VARIABLE.sub(lambda match: _as_text(_looked_up(match.group(1), names)), value)
    if isinstance(value, Mapping):
        return {key: substituted(entry, names) for key, entry in value.items()}
    if isinstance(value, list):
        result: list[Any] = []
        for entry in value:
            replaced = substituted(entry, names)
            alone = isinstance(entry, str) and VARIABLE.fullmatch(entry.strip())
            result.extend(replaced if alone and isinstance(replaced, list) else [replaced])
        return result
    return value


def as_script_input(value: Any) -> Any:
    """The value as a script's event has it: whole numbers may arrive as floats, so the sandbox always lets them.

    Source: the scripts of aws-solutions/automated-security-response-on-aws convert what Systems Manager passes as floats.
    """
    if isinstance(value, Mapping):
        return {name: as_script_input(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [as_script_input(entry) for entry in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _looked_up(name: str, names: Mapping[str, Any]) -> Any:
    if name not in names:
        raise StepFailedError(f"variable {{{{ {name} }}}} has no value: the step that gives it has not run")
    return names[name]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def variables_in(value: Any) -> set[str]:
    """Every variable name that stands in the value."""
    if isinstance(value, str):
        return {match.group(1) for match in VARIABLE.finditer(value)}
    if isinstance(value, Mapping):
        return {name for entry in value.values() for name in variables_in(entry)}
    if isinstance(value, list):
        return {name for entry in value for name in variables_in(entry)}
    return set()


@functools.lru_cache(256)  # the parser reads its tables anew each time
def _path(selector: str) -> Any:
    return ExtendedJsonPathParser().parse(selector)


def selected(response: Any, selector: str) -> Any:
    """What a JSONPath selector finds: the value itself when it is one, a list when the path has a wildcard."""
    try:
        found = [match.value for match in _path(selector).find(response)]
    except Exception as error:  # the parser raises bare exceptions
        raise StepFailedError(f"selector {selector} cannot be read: {error}") from None
    if any(mark in selector for mark in ("*", "..", "?", ":")):
        return found
    if not found:
        raise StepFailedError(f"selector {selector} finds nothing in the response")
    return found[0]


def checked_output(name: str, kind: str, value: Any) -> Any:
    """The value of a declared output. A Boolean is not a String; Integer takes a whole float (JSON has one number type)."""
    fits = {
        "String": isinstance(value, str),
        "Boolean": isinstance(value, bool),
        "Integer": not isinstance(value, bool) and isinstance(value, (int, float)) and float(value).is_integer(),
        "StringList": isinstance(value, list) and all(isinstance(entry, str) for entry in value),
        "StringMap": isinstance(value, Mapping),
        "MapList": isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value),
    }
    if not fits[kind]:
        raise StepFailedError(f"output {name} is declared {kind}, but is {type(value).__name__}")
    return int(value) if kind == "Integer" else value
