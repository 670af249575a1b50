"""Reads Automation documents and refuses, before anything runs, whatever Automation or the sandbox would not take."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
import yaml
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

from pci_config.requirements import parsed_yaml
from pci_config.sandbox.automation_values import GLOBALS, OUTPUT_TYPES, VARIABLE, DocumentError, known_type, variables_in

MAX_BYTES = 64 * 1024
RUNTIMES = ("python3.11",)
TOP_LEVEL = frozenset({"schemaVersion", "description", "assumeRole", "parameters", "mainSteps", "outputs", "files"})
STEP = frozenset(
    {
        "name", "action", "description", "inputs", "outputs", "maxAttempts", "timeoutSeconds", "onFailure", "onCancel",
        "isEnd", "nextStep", "isCritical",
    }
)  # fmt: skip
ACTIONS = (
    "aws:executeAwsApi",
    "aws:executeScript",
    "aws:assertAwsResourceProperty",
    "aws:waitForAwsResourceProperty",
    "aws:branch",
    "aws:sleep",
    "aws:approve",
)
# "Properties shared by all actions" and the pages of the actions
MAX_SCRIPT_SECONDS = 600
MAX_APPROVE_SECONDS = 30 * 24 * 3600
MAX_SLEEP_SECONDS = 7 * 24 * 3600
MAX_APPROVERS = 10
API_ACTIONS = ("aws:executeAwsApi", "aws:assertAwsResourceProperty", "aws:waitForAwsResourceProperty")
COMPARISONS = (
    "StringEquals", "EqualsIgnoreCase", "StartsWith", "EndsWith", "Contains", "NumericEquals", "NumericGreater",
    "NumericLesser", "NumericGreaterOrEquals", "NumericLesserOrEquals", "BooleanEquals",
)  # fmt: skip
_session = botocore.session.get_session()


@dataclass(frozen=True)
class Document:
    """A checked document. `steps` by name, in the order they stand."""

    assume_role: str
    parameters: Mapping[str, Mapping[str, Any]]
    steps: Mapping[str, Mapping[str, Any]]
    outputs: tuple[str, ...]

    @classmethod
    def parse(cls, source: str | Mapping[str, Any]) -> Document:
        """From YAML or JSON text, or what it loads to. Raises DocumentError naming what is wrong and where."""
        if isinstance(source, str):
            if len(source.encode()) > MAX_BYTES:
                raise DocumentError(f"{len(source.encode())} bytes; a document may have {MAX_BYTES}")
            try:
                source = parsed_yaml(source)
            except yaml.YAMLError as error:
                raise DocumentError(f"neither YAML nor JSON: {error}") from None
        if not isinstance(source, Mapping):
            raise DocumentError("a document is an object")
        return _checked(source)


def _checked(source: Mapping[str, Any]) -> Document:
    if source.get("schemaVersion") != "0.3":
        raise DocumentError(f"schemaVersion is {source.get('schemaVersion')!r}; Automation documents have '0.3'")
    _only("document", source, TOP_LEVEL)
    parameters = source.get("parameters") or {}
    for name, spec in parameters.items():
        if not known_type(str(spec.get("type"))):
            raise DocumentError(f"parameter {name}: type {spec.get('type')!r} is not known")
    steps: dict[str, Mapping[str, Any]] = {}
    for step in source.get("mainSteps") or []:
        name = str(step.get("name"))
        if not re.fullmatch(r"[a-zA-Z0-9_]+", name) or name in steps:
            raise DocumentError(f"step name {name!r} is not unique or has other characters than letters, digits and _")
        steps[name] = step
    if not steps:
        raise DocumentError("mainSteps is empty")
    for name, step in steps.items():
        _check_step(name, step, steps)
    _check_variables(source, parameters, steps)
    _refuse_loops(steps)
    outputs = tuple(source.get("outputs") or ())
    declared = _declared_outputs(steps)
    for output in outputs:
        if output not in declared:
            raise DocumentError(f"output {output} is of no step")
    return Document(str(source.get("assumeRole") or ""), parameters, steps, outputs)


def _only(where: str, value: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(value) - known)
    if unknown:
        raise DocumentError(f"{where}: {', '.join(unknown)} is not imitated by the sandbox")


def _check_step(name: str, step: Mapping[str, Any], steps: Mapping[str, Any]) -> None:
    _only(f"step {name}", step, STEP)
    action = step.get("action")
    if action not in ACTIONS:
        raise DocumentError(f"step {name}: action {action} is not imitated by the sandbox; it knows {', '.join(ACTIONS)}")
    for target in _targets(step):
        if target not in steps:
            raise DocumentError(f"step {name}: there is no step {target}")
    failure = step.get("onFailure", "Abort")
    if failure not in ("Abort", "Continue") and not str(failure).startswith("step:"):
        raise DocumentError(f"step {name}: onFailure {failure!r} is neither Abort, Continue nor step:name")
    _check_numbers(name, step)
    for output in step.get("outputs") or []:
        if output.get("Type") not in OUTPUT_TYPES:
            raise DocumentError(f"step {name}: output {output.get('Name')} has type {output.get('Type')!r}")
    inputs = step.get("inputs") or {}
    if action in API_ACTIONS:
        _check_api(name, action, inputs)
    elif action == "aws:executeScript":
        _check_script(name, inputs)
    elif action == "aws:approve":
        _check_approvers(name, inputs)
    elif action == "aws:branch":
        for choice in inputs.get("Choices") or []:
            _check_choice(name, choice)


def _check_numbers(name: str, step: Mapping[str, Any]) -> None:
    for field in ("maxAttempts", "timeoutSeconds"):
        value = step.get(field, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise DocumentError(f"step {name}: {field} is {value!r}, which is no positive number")
    limits = {"aws:executeScript": MAX_SCRIPT_SECONDS, "aws:approve": MAX_APPROVE_SECONDS}
    limit = limits.get(str(step["action"]))
    if limit and step.get("timeoutSeconds", limit) > limit:
        raise DocumentError(f"step {name}: {step['action']} runs for {limit} seconds at most, not {step['timeoutSeconds']}")
    for field in ("isEnd", "isCritical"):
        if not isinstance(step.get(field, False), bool):
            raise DocumentError(f"step {name}: {field} is {step[field]!r}, which is neither true nor false")


def _check_approvers(name: str, inputs: Mapping[str, Any]) -> None:
    _only(f"step {name}", inputs, frozenset({"Approvers", "MinRequiredApprovals", "Message", "NotificationArn"}))
    approvers = inputs.get("Approvers")
    if not approvers:
        raise DocumentError(f"step {name}: Approvers is needed")
    if isinstance(approvers, list) and len(approvers) > MAX_APPROVERS:
        raise DocumentError(f"step {name}: {len(approvers)} approvers; {MAX_APPROVERS} are taken")


def _check_api(name: str, action: str, inputs: Mapping[str, Any]) -> None:
    """Service, operation and input names against botocore's model, for steps that a run may never reach as well."""
    try:
        service = _session.get_service_model(str(inputs.get("Service")))
    except UnknownServiceError:
        raise DocumentError(f"step {name}: there is no service {inputs.get('Service')}") from None
    api = str(inputs.get("Api"))
    operations = {xform_name(operation): operation for operation in service.operation_names}
    if xform_name(api) not in operations:
        raise DocumentError(f"step {name}: {inputs['Service']} has no operation {api}")
    shape = service.operation_model(operations[xform_name(api)]).input_shape
    own = {"Service", "Api", "PropertySelector", "DesiredValues"}
    unknown = sorted(set(inputs) - own - set(shape.members if shape else ()))
    if unknown:
        raise DocumentError(f"step {name}: {api} takes no {', '.join(unknown)}")
    if action != "aws:executeAwsApi" and not {"PropertySelector", "DesiredValues"} <= set(inputs):
        raise DocumentError(f"step {name}: PropertySelector and DesiredValues are needed")


def _check_script(name: str, inputs: Mapping[str, Any]) -> None:
    _only(f"step {name}", inputs, frozenset({"Runtime", "Handler", "Script", "InputPayload"}))
    if inputs.get("Runtime") not in RUNTIMES:
        raise DocumentError(
            f"step {name}: runtime {inputs.get('Runtime')} is not imitated by the sandbox; it knows {RUNTIMES[0]}"
        )
    if VARIABLE.search(str(inputs.get("Script"))):
        raise DocumentError(f"step {name}: variables in a script invite injection; pass values by InputPayload")


def _check_choice(name: str, choice: Mapping[str, Any]) -> None:
    for part in (choice, *_parts(choice)):
        known = {"NextStep", "Variable", "And", "Or", "Not", *COMPARISONS}
        _only(f"step {name}, choice", part, frozenset(known))


def _parts(choice: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for combined in ("And", "Or"):
        for part in choice.get(combined) or []:
            yield part
            yield from _parts(part)
    if "Not" in choice:
        yield choice["Not"]
        yield from _parts(choice["Not"])


def _targets(step: Mapping[str, Any]) -> list[str]:
    found = [step["nextStep"]] if "nextStep" in step else []
    for handler in ("onFailure", "onCancel"):
        if str(step.get(handler, "")).startswith("step:"):
            found.append(str(step[handler]).removeprefix("step:"))
    if step.get("action") == "aws:branch":
        inputs = step.get("inputs") or {}
        found += [choice["NextStep"] for choice in inputs.get("Choices") or []]
        found += [inputs["Default"]] if "Default" in inputs else []
    return found


def _declared_outputs(steps: Mapping[str, Mapping[str, Any]]) -> set[str]:
    found = {f"{name}.{output['Name']}" for name, step in steps.items() for output in step.get("outputs") or []}
    for name, step in steps.items():
        found.add(f"{name}.{'Payload' if step['action'] == 'aws:executeScript' else 'Output'}")
        if step["action"] == "aws:approve":
            found |= {f"{name}.ApprovalStatus", f"{name}.ApproverDecisions"}
    return found


def _check_variables(source: Mapping[str, Any], parameters: Mapping[str, Any], steps: Mapping[str, Mapping[str, Any]]) -> None:
    known = {*parameters, *_declared_outputs(steps), "automation:EXECUTION_ID", *(f"global:{name}" for name in GLOBALS)}
    for where, value in (("assumeRole", source.get("assumeRole")), *((f"step {n}", s.get("inputs")) for n, s in steps.items())):
        for name in sorted(variables_in(value)):
            if name not in known:
                raise DocumentError(f"{where}: variable {{{{ {name} }}}} is neither a parameter nor an output nor imitated")
    for name, spec in parameters.items():
        if variables_in(spec.get("default")):
            raise DocumentError(f"parameter {name}: a default cannot refer to others")


def _refuse_loops(steps: Mapping[str, Mapping[str, Any]]) -> None:
    order = list(steps)
    following = {}
    for position, (name, step) in enumerate(steps.items()):
        targets = _targets(step)
        ends = (
            step.get("isEnd")
            or "nextStep" in step
            or (step["action"] == "aws:branch" and "Default" in (step.get("inputs") or {}))
        )
        if not ends and position + 1 < len(order):
            targets = [*targets, order[position + 1]]
        following[name] = targets
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise DocumentError(f"steps {' -> '.join((*path[path.index(name) :], name))} go round in a loop")
        if name not in done:
            for target in following[name]:
                visit(target, (*path, name))
            done.add(name)

    visit(order[0], ())


def document_json(source: str) -> dict[str, Any]:
    """The document's text as an object, for callers that only show it."""
    loaded = parsed_yaml(source)
    return json.loads(json.dumps(loaded)) if isinstance(loaded, dict) else {}
