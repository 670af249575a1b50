"""What each action of an Automation document does: one attempt of one step, against moto.

Semantics: AWS Systems Manager user guide, the page of each action, "Using conditional statements in runbooks".
"""

from __future__ import annotations

import functools
import io
import json
import re
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

import boto3
from botocore import xform_name

from pci_config.sandbox.automation_clock import Clock
from pci_config.sandbox.automation_document import MAX_SCRIPT_SECONDS, MAX_SLEEP_SECONDS
from pci_config.sandbox.automation_values import StepFailedError, as_script_input, selected, substituted

MAX_SCRIPT_OUTPUT_CHARACTERS = 100_000
POLL_SECONDS = 5
_scripts = threading.Lock()


@functools.lru_cache(64)  # the same document runs again and again
def _compiled(script: str) -> types.CodeType:
    return compile(script, "<Script>", "exec")


class OutOfTimeError(BaseException):
    """A script's time is over. Nothing in the script can catch it and go on: Automation ends the process."""


class Actions:
    """The actions of one execution. `names` are the variables, to which scripts add their payload."""

    def __init__(self, clock: Clock, names: MutableMapping[str, Any], print_to: Callable[[str], None]) -> None:
        self.session: Any = None  # set by whoever runs a step
        self._clock, self._names, self._print_to = clock, names, print_to

    def inputs(self, step: Mapping[str, Any]) -> Any:
        inputs = dict(step.get("inputs") or {})
        script = inputs.pop("Script", None)
        replaced = substituted(inputs, self._names) if step["action"] != "aws:branch" else inputs
        return {**replaced, "Script": script} if script is not None else replaced

    def act(self, step: Mapping[str, Any], inputs: Mapping[str, Any], limit: float) -> tuple[Any, str | None]:
        """What the step answers, and the step that a branch chose; None for the one that follows.

        Raises StepFailedError, AWS's errors, or TimeoutError when the clock passes `limit`.
        """
        match step["action"]:
            case "aws:executeAwsApi":
                return self._call(inputs), None
            case "aws:executeScript":
                payload = self._script(inputs, limit)
                self._names[f"{step['name']}.Payload"] = payload
                return {"Payload": payload}, None
            case "aws:assertAwsResourceProperty":
                self._desired(inputs, self._call(inputs))
                return {}, None
            case "aws:waitForAwsResourceProperty":
                self._wait(inputs, limit)
                return {}, None
            case "aws:branch":
                return {}, self._branch(inputs)
            case "aws:sleep":
                self._sleep(_seconds(str(inputs.get("Duration"))), limit)
                return {}, None
            case _:
                raise StepFailedError(f"action {step['action']} is not imitated by the sandbox")

    def _call(self, inputs: Mapping[str, Any]) -> Any:
        own = {"Service", "Api", "PropertySelector", "DesiredValues"}
        client = self.session.client(str(inputs["Service"]))
        parameters = {name: value for name, value in inputs.items() if name not in own}
        response = getattr(client, xform_name(str(inputs["Api"])))(**parameters)
        return json.loads(json.dumps({k: v for k, v in response.items() if k != "ResponseMetadata"}, default=str))

    def _desired(self, inputs: Mapping[str, Any], response: Any) -> None:
        value = selected(response, str(inputs["PropertySelector"]))
        # DesiredValues are texts; a Boolean reads True or False
        if str(value) not in [str(desired) for desired in inputs["DesiredValues"]]:
            raise StepFailedError(f"{inputs['PropertySelector']} is {value}, desired {inputs['DesiredValues']}")

    def _wait(self, inputs: Mapping[str, Any], limit: float) -> None:
        while True:
            try:
                self._desired(inputs, self._call(inputs))
            except StepFailedError as error:
                if self._clock.now + POLL_SECONDS > limit:
                    raise TimeoutError(f"{error} until the step timed out") from None
                self._clock.sleep(POLL_SECONDS)
            else:
                return

    def _sleep(self, seconds: float, limit: float) -> None:
        if seconds > MAX_SLEEP_SECONDS:
            raise StepFailedError(f"a delay of {seconds:.0f} seconds; {MAX_SLEEP_SECONDS} are taken")
        if self._clock.now + seconds > limit:
            self._clock.now = limit
            raise TimeoutError("the step timed out while it slept")
        self._clock.sleep(seconds)

    def _script(self, inputs: Mapping[str, Any], limit: float) -> Any:
        """Run Handler(events, context) with the role's session as boto3's default one."""
        limit = min(limit, self._clock.now + MAX_SCRIPT_SECONDS)
        module = types.ModuleType(f"automation_script_{uuid.uuid4().hex}")
        events = as_script_input(json.loads(json.dumps(inputs.get("InputPayload") or {})))
        printed = io.StringIO()
        with _scripts, self._as_default_session(), self._patched_sleep(limit), redirect_stdout(printed):
            sys.modules[module.__name__] = module  # dataclasses look their module up
            try:
                exec(_compiled(inputs["Script"]), module.__dict__)  # noqa: S102 - that is the action
                result = getattr(module, str(inputs["Handler"]))(events, {})
            except OutOfTimeError:
                raise TimeoutError("the script was ended: its time is over") from None
            except Exception as error:
                raise StepFailedError(f"{type(error).__name__} - {error}") from error
            finally:
                del sys.modules[module.__name__]
                self._print_to(printed.getvalue())
        try:
            text = json.dumps(result)
        except TypeError as error:
            raise StepFailedError(f"the handler's result is not JSON: {error}") from None
        if len(text) > MAX_SCRIPT_OUTPUT_CHARACTERS:
            raise StepFailedError(f"the handler's result has {len(text)} characters; {MAX_SCRIPT_OUTPUT_CHARACTERS} are kept")
        return json.loads(text)

    @contextmanager
    def _as_default_session(self) -> Iterator[None]:
        before = boto3.DEFAULT_SESSION
        boto3.DEFAULT_SESSION = self.session
        try:
            yield
        finally:
            boto3.DEFAULT_SESSION = before

    @contextmanager
    def _patched_sleep(self, limit: float) -> Iterator[None]:
        """Scripts wait on the sandbox's clock; other threads keep the real one."""
        real, thread = time.sleep, threading.get_ident()

        def sleep(seconds: Any) -> None:
            if threading.get_ident() != thread:
                real(seconds)
            elif self._clock.now + seconds > limit:
                self._clock.now = limit
                raise OutOfTimeError
            else:
                self._clock.sleep(seconds)

        time.sleep = sleep
        try:
            yield
        finally:
            time.sleep = real

    def _branch(self, inputs: Mapping[str, Any]) -> str | None:
        for choice in inputs.get("Choices") or []:
            if self._holds(choice):
                return str(choice["NextStep"])
        if "Default" in inputs:
            return str(inputs["Default"])
        return None

    def _holds(self, choice: Mapping[str, Any]) -> bool:
        if "And" in choice:
            return all(self._holds(part) for part in choice["And"])
        if "Or" in choice:
            return any(self._holds(part) for part in choice["Or"])
        if "Not" in choice:
            return not self._holds(choice["Not"])
        value = substituted(choice["Variable"], self._names)
        for name, compare in _COMPARE.items():
            if name in choice:
                wanted = substituted(choice[name], self._names)
                try:
                    return bool(compare(value, wanted))
                except (TypeError, ValueError, AttributeError):
                    raise StepFailedError(f"{name} cannot compare {value!r} with {wanted!r}") from None
        raise StepFailedError("a choice has no comparison")


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "EqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StartsWith": lambda value, wanted: value.startswith(wanted),
    "EndsWith": lambda value, wanted: value.endswith(wanted),
    "Contains": lambda value, wanted: wanted in value,
    "NumericEquals": lambda value, wanted: float(value) == float(wanted),
    "NumericGreater": lambda value, wanted: float(value) > float(wanted),
    "NumericLesser": lambda value, wanted: float(value) < float(wanted),
    "NumericGreaterOrEquals": lambda value, wanted: float(value) >= float(wanted),
    "NumericLesserOrEquals": lambda value, wanted: float(value) <= float(wanted),
    "BooleanEquals": lambda value, wanted: _boolean(value) == _boolean(wanted),
}


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[str(value).lower()]


def _seconds(duration: str) -> float:
    """An ISO-8601 duration such as PT10M, up to days."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", duration)
    if not match or duration in ("P", "PT"):
        raise StepFailedError(f"Duration {duration!r} is not ISO 8601, such as PT10M")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
