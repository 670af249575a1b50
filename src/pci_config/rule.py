"""What a rule is: typed parameters, findings with reasons, and the facts a decision may look up.

A rule decides on one configuration item (`decide`), on an account as a whole (`decide_account`), or both. Both are pure
functions of what they are given, so the same class runs in Lambda, over a Config snapshot and in the sandbox.

Runs in Lambda: imports nothing but the standard library and rdklib.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, NoReturn, Protocol, TypeVar

from rdklib.configrule import ConfigRule
from rdklib.errors import InvalidParametersError
from rdklib.evaluation import ComplianceType, Evaluation

from pci_config.settings import Settings

COMPLIANT: str = ComplianceType.COMPLIANT
NON_COMPLIANT: str = ComplianceType.NON_COMPLIANT
NOT_APPLICABLE: str = ComplianceType.NOT_APPLICABLE

ACCOUNT_RESOURCE_TYPE = "AWS::::Account"
MAX_ANNOTATION_CHARACTERS = 256  # PutEvaluations, Config API reference
RESERVED_PARAMETERS = frozenset({"RuleId", "AssumeRoleMode", "ExecutionRoleName", "ExecutionRoleRegion"})

Item = Mapping[str, Any]  # a configuration item in event form (see pci_config.items)
T = TypeVar("T")
P = TypeVar("P")


class RuleInputError(Exception):
    """The item, a parameter or a setting cannot be judged; the message names the field. Never a verdict."""


class NotAssessed(Exception):
    """The source at hand (a snapshot, say) cannot show what the decision needs; the message says what is missing."""


# ---------------------------------------------------------------------------------------------------------- findings


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict with its reason.

    `resource_type` and `resource_id` are set by periodic rules only; a change rule judges the item it was given.
    """

    compliance: str
    annotation: str
    resource_type: str | None = None
    resource_id: str | None = None


def compliant(reason: str) -> Finding:
    return Finding(COMPLIANT, bounded(reason))


def non_compliant(reason: str) -> Finding:
    return Finding(NON_COMPLIANT, bounded(reason))


def not_applicable(reason: str) -> Finding:
    return Finding(NOT_APPLICABLE, bounded(reason))


def bounded(text: str, limit: int = MAX_ANNOTATION_CHARACTERS) -> str:
    """The text as one line of at most `limit` characters; what is cut off is marked."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 2].rstrip() + " …"


def counted(problems: Sequence[str], noun: str, suffix: str = "") -> str:
    """An annotation for several problems: the count, the first (most important) one, and the suffix kept whole.

    >>> counted(["tcp 22 to 0.0.0.0/0"], "egress entry", " [PCI 1.3.2]")
    'tcp 22 to 0.0.0.0/0 [PCI 1.3.2]'
    >>> counted(["a is open", "b is open"], "problem")
    '2 problems; first: a is open'
    """
    head = problems[0] if len(problems) == 1 else f"{numbered(len(problems), noun)}; first: {problems[0]}"
    return bounded(head, MAX_ANNOTATION_CHARACTERS - len(suffix)) + suffix


def numbered(count: int, noun: str) -> str:
    """The count with the noun, whose plural is regular.

    >>> numbered(1, "entry"), numbered(2, "entry"), numbered(0, "day")
    ('1 entry', '2 entries', '0 days')
    """
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{count} {noun}s"


# -------------------------------------------------------------------------------------------------------- parameters


class ParameterError(InvalidParametersError):  # type: ignore[misc]
    """A rule parameter is unknown, malformed or out of range. The message names the parameter, value and expectation."""


def integer(default: int, minimum: int, maximum: int) -> Any:
    """A whole number within bounds, both included."""

    def parse(name: str, value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", value.strip()) or not minimum <= int(value) <= maximum:
            raise ParameterError(f"parameter {name}: {value!r} is not a whole number from {minimum} to {maximum}")
        return int(value)

    return field(default=default, metadata={"parse": parse, "expected": f"whole number from {minimum} to {maximum}"})


def flag(default: bool) -> Any:
    """`true` or `false`."""

    def parse(name: str, value: str) -> bool:
        if value.strip().lower() not in ("true", "false"):
            raise ParameterError(f"parameter {name}: {value!r} is neither 'true' nor 'false'")
        return value.strip().lower() == "true"

    return field(default=default, metadata={"parse": parse, "expected": "true or false"})


def choice(default: str, choices: Sequence[str]) -> Any:
    """One of the given words."""

    def parse(name: str, value: str) -> str:
        if value not in choices:
            raise ParameterError(f"parameter {name}: {value!r} is none of {', '.join(choices)}")
        return value

    return field(default=default, metadata={"parse": parse, "expected": "one of " + ", ".join(choices)})


def words(default: tuple[str, ...] = (), pattern: str = r"[^\s,]+", expected: str = "list separated by commas") -> Any:
    """A comma-separated list; every entry matches `pattern` as a whole. An empty text is the empty list."""

    def parse(name: str, value: str) -> tuple[str, ...]:
        entries = tuple(entry.strip() for entry in value.split(",") if entry.strip())
        for entry in entries:
            if not re.fullmatch(pattern, entry):
                raise ParameterError(f"parameter {name}: entry {entry!r} does not fit: {expected}")
        return entries

    return field(default=default, metadata={"parse": parse, "expected": expected})


def ports(default: tuple[int, ...] = ()) -> Any:
    """A comma-separated list of port numbers."""

    def parse(name: str, value: str) -> tuple[int, ...]:
        entries = [entry.strip() for entry in value.split(",") if entry.strip()]
        for entry in entries:
            if not re.fullmatch(r"[0-9]{1,5}", entry) or int(entry) > 65535:
                raise ParameterError(f"parameter {name}: entry {entry!r} is not a port from 0 to 65535")
        return tuple(int(entry) for entry in entries)

    return field(default=default, metadata={"parse": parse, "expected": "ports separated by commas"})


@dataclass(frozen=True, slots=True)
class NoParameters:
    """For rules without parameters."""


def parameter_name(field_name: str) -> str:
    """The name Config knows: `minimum_tls_version` is `MinimumTlsVersion`."""
    return "".join(part.capitalize() for part in field_name.split("_"))


def parse_parameters(cls: type[P], raw: Mapping[str, Any]) -> P:
    """The typed parameters from Config's map of strings.

    Raises ParameterError for an unknown name (a typo must not silently weaken a control) or a bad value.
    """
    known = {parameter_name(spec.name): spec for spec in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name in RESERVED_PARAMETERS:
            continue
        if name not in known:
            raise ParameterError(
                f"unknown parameter {name!r}; " + (f"known: {', '.join(sorted(known))}" if known else "this rule has none")
            )
        if not isinstance(value, str):
            raise ParameterError(f"parameter {name}: {value!r} is not text; Config passes every value as text")
        values[known[name].name] = known[name].metadata["parse"](name, value)
    return cls(**values)


# ------------------------------------------------------------------------------------------------------------- facts


class Clients(Protocol):
    """rdklib's ClientFactory interface."""

    def build_client(self, service: str, region: str | None = None) -> Any: ...


class ItemIndex(Protocol):
    """Other items of the same source, in event form."""

    def find(self, resource_type: str, account_id: str, region: str) -> Sequence[Item]:
        """Every item of the type there. Raises NotAssessed when the source does not hold that type there at all."""
        ...


class Lookup(Generic[T]):
    """A fact that is not in the item itself, with two ways to learn it.

    Subclasses set `actions` (IAM actions of the live way: the function's role is generated from them) and
    `resource_types` (item types the recorded way reads), and override one or both methods.
    """

    actions: ClassVar[tuple[str, ...]] = ()
    resource_types: ClassVar[tuple[str, ...]] = ()
    read_first: ClassVar[bool] = False  # an assessed account's items, just read, answer before AWS is asked one by one

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> T:
        """Ask AWS. botocore's ClientError may pass through; "there is none" is an answer, not an error."""
        raise NotAssessed(f"{cls.__name__} cannot be read from an account")

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> T:
        """Answer from other items of the same source."""
        what = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower()
        raise NotAssessed(f"AWS Config does not record the {what}: assess the account itself")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where and when a decision is made. `region` is the item's own, `global` for IAM and CloudFront items."""

    account_id: str
    region: str
    now: datetime
    settings: Settings


class Facts(Protocol):
    """What a decision may know beyond the item and the parameters."""

    @property
    def scope(self) -> Scope: ...

    def get(self, lookup: type[Lookup[T]], *key: str) -> T:
        """The fact. Raises NotAssessed when this source cannot know it, ClientError when AWS refused."""
        ...


class LiveFacts:
    """Facts asked of AWS, each at most once per decision; `items` are those just read from there."""

    def __init__(self, clients: Clients, scope: Scope, items: ItemIndex | None = None) -> None:
        self._clients = clients
        self._scope = scope
        self._items = items
        self._known: dict[tuple[Any, ...], Any] = {}

    @property
    def scope(self) -> Scope:
        return self._scope

    def get(self, lookup: type[Lookup[T]], *key: str) -> T:
        if (lookup, *key) not in self._known:
            self._known[(lookup, *key)] = self._asked(lookup, key)
        return self._known[(lookup, *key)]  # type: ignore[no-any-return]

    def _asked(self, lookup: type[Lookup[T]], key: tuple[str, ...]) -> T:
        if self._items and lookup.read_first:
            with contextlib.suppress(NotAssessed):
                return lookup.recorded(self._items, self._scope, *key)
        return lookup.live(self._clients, self._scope, *key)


class RecordedFacts:
    """Facts read from other items of the same source."""

    def __init__(self, items: ItemIndex, scope: Scope) -> None:
        self._items = items
        self._scope = scope

    @property
    def scope(self) -> Scope:
        return self._scope

    def get(self, lookup: type[Lookup[T]], *key: str) -> T:
        return lookup.recorded(self._items, self._scope, *key)


class StatedFacts:
    """Facts given beforehand, for tests: `StatedFacts(scope, {(VpcCidrs, "vpc-1"): (...)})`."""

    def __init__(self, scope: Scope, known: Mapping[tuple[Any, ...], Any] | None = None) -> None:
        self._scope = scope
        self._known = dict(known or {})

    @property
    def scope(self) -> Scope:
        return self._scope

    def get(self, lookup: type[Lookup[T]], *key: str) -> T:
        try:
            value = self._known[(lookup, *key)]
        except KeyError:
            raise NotAssessed(f"{lookup.__name__} of {' '.join(key) or 'the account'} is not known") from None
        if isinstance(value, Exception):
            raise value
        return value  # type: ignore[no-any-return]


# -------------------------------------------------------------------------------------------------------------- rule


class PciRule(ConfigRule):  # type: ignore[misc]
    """Base of every rule. Subclasses override `decide`, `decide_account` or both.

    `periodic_types` names the resource types that `decide_account` reports one by one: their evaluations are retired when
    the resource has vanished. `sweeps` is for decisions that depend on what no item shows (listener rules, subscriptions): on
    schedule every recorded item of `resource_types` is judged again. A swept item has no tags.
    """

    resource_types: ClassVar[tuple[str, ...]] = ()
    periodic_types: ClassVar[tuple[str, ...]] = (ACCOUNT_RESOURCE_TYPE,)
    parameters: ClassVar[type] = NoParameters
    lookups: ClassVar[tuple[type[Lookup[Any]], ...]] = ()
    sweeps: ClassVar[bool] = False

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__()
        self._settings = settings

    @classmethod
    def rule_id(cls) -> str:
        """`PciListenerTlsOnly` is `PCI_LISTENER_TLS_ONLY`, the name of its folder."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).upper()

    @classmethod
    def is_periodic(cls) -> bool:
        return cls.judges_accounts() or cls.sweeps

    @classmethod
    def judges_accounts(cls) -> bool:
        return cls.decide_account is not PciRule.decide_account

    @property
    def settings(self) -> Settings:
        """The organization's settings, by default those bundled with the function."""
        if self._settings is None:
            self._settings = Settings.bundled()
        return self._settings

    def decide(self, item: Item, parameters: Any, facts: Facts) -> Finding:
        """The verdict on one item of `resource_types`."""
        raise NotImplementedError(f"{self.rule_id()} is not triggered by configuration changes")

    def decide_account(self, parameters: Any, facts: Facts) -> Sequence[Finding]:
        """Verdicts on an account in one Region, each with `resource_type` and `resource_id` (see `about_account`)."""
        raise NotImplementedError(f"{self.rule_id()} is not periodic")

    # ---- what rdk users know

    def evaluate_parameters(self, rule_parameters: Mapping[str, Any]) -> Any:
        return parse_parameters(self.parameters, rule_parameters)

    def evaluate_change(
        self, event: Mapping[str, Any], client_factory: Clients, configuration_item: Item, valid_rule_parameters: Any
    ) -> list[Evaluation]:
        del event
        scope = Scope(
            required(configuration_item, "awsAccountId", str),
            required(configuration_item, "awsRegion", str),
            parse_time(required(configuration_item, "configurationItemCaptureTime", str)),
            self.settings,
        )
        finding = self.decide(configuration_item, valid_rule_parameters, LiveFacts(client_factory, scope))
        return [Evaluation(finding.compliance, annotation=bounded(finding.annotation))]

    def evaluate_periodic(
        self, event: Mapping[str, Any], client_factory: Clients, valid_rule_parameters: Any
    ) -> list[Evaluation]:
        if not self.judges_accounts():
            return []
        invoking_event = json.loads(event["invokingEvent"])
        scope = Scope(
            event["accountId"],
            event["configRuleArn"].split(":")[3],
            parse_time(invoking_event["notificationCreationTime"]),
            self.settings,
        )
        return [
            Evaluation(finding.compliance, finding.resource_id, finding.resource_type, bounded(finding.annotation))
            for finding in self.decide_account(valid_rule_parameters, LiveFacts(client_factory, scope))
        ]

    @classmethod
    def as_lambda_handler(cls) -> Callable[[Mapping[str, Any], Any], list[dict[str, Any]]]:
        """The `lambda_handler` of a rule deployed on its own with `rdk deploy`."""

        def lambda_handler(event: Mapping[str, Any], context: Any) -> list[dict[str, Any]]:
            from pci_config.evaluator import handle  # noqa: PLC0415 - the evaluator imports this module

            return handle(cls, event, context)

        return lambda_handler


def about_account(finding: Finding, facts: Facts) -> Finding:
    """The finding as one about the account itself."""
    return about(finding, ACCOUNT_RESOURCE_TYPE, facts.scope.account_id)


def about(finding: Finding, resource_type: str, resource_id: str) -> Finding:
    """The finding as one about the named resource."""
    return dataclasses.replace(finding, resource_type=resource_type, resource_id=resource_id)


# ------------------------------------------------------------------------------------------------------ reading items


@functools.cache  # paths are written in the rules' source
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def required(item: Item, path: str, kind: type[T]) -> T:
    """The value at a dotted path, of the given type. Raises RuleInputError naming the path when absent, null or other."""
    value: Any = item
    for step in _steps(path):
        # most are plain dicts, and asking an abstract class takes longer than everything else here
        value = value.get(step) if type(value) is dict or isinstance(value, Mapping) else None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        _refuse(item, path, value, kind.__name__)
    return value


def optional(item: Item, path: str, kind: type[T], default: T) -> T:
    """The value at a dotted path, or the default when it is absent or null. RuleInputError when of another type."""
    value: Any = item
    for step in _steps(path):
        if value is None:
            return default
        if type(value) is not dict and not isinstance(value, Mapping):
            _refuse(item, path, value, "an object on the way there")
        value = value.get(step)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        _refuse(item, path, value, kind.__name__)
    return value


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turns the errors of reading an unexpected shape into RuleInputError; it and those raised inside name the place."""
    try:
        yield
    except RuleInputError as error:
        raise RuleInputError(f"{where}: {error}") from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise RuleInputError(f"{where} has an unexpected shape ({type(error).__name__}: {error})") from None


def _refuse(item: Item, path: str, value: Any, expected: str) -> NoReturn:
    found = "is missing" if value is None else f"is {type(value).__name__}"
    raise RuleInputError(f"{item.get('resourceType') or 'item'}: {path} {found}, expected {expected}")


def tags_of(item: Item) -> dict[str, str]:
    """The tags, wherever the type keeps them (facts on `tags`: map, list in the configuration, or supplementary).

    Raises NotAssessed when `tags` is null, which is how a source says that it cannot show them, and no other place has any.
    """
    configuration = item.get("configuration")
    supplementary = item.get("supplementaryConfiguration")
    places: list[Any] = [item.get("tags")]
    if isinstance(configuration, Mapping):
        places += [configuration.get(key) for key in ("tags", "Tags", "tagList", "tagSet")]
    if isinstance(supplementary, Mapping):
        places.append(supplementary.get("Tags"))
    for place in places:
        tags = _tag_map(place)
        if tags:
            return tags
    if "tags" in item and item["tags"] is None:
        raise NotAssessed("this source does not show the tags of the resource")
    return {}


def _tag_map(value: Any) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {str(key): str(text) for key, text in value.items()}
    if not isinstance(value, Iterable) or isinstance(value, str):
        return {}
    tags: dict[str, str] = {}
    for entry in value:
        if isinstance(entry, Mapping):
            key = entry.get("key", entry.get("tagKey", entry.get("Key")))
            if isinstance(key, str):
                tags[key] = str(entry.get("value", entry.get("tagValue", entry.get("Value", ""))))
    return tags


def parse_time(text: str) -> datetime:
    """An ISO-8601 time with zone, as Config writes them."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise RuleInputError(f"{text!r} is not an ISO-8601 time") from None
