"""Whatever passes validation names particular resources, and accepts them for one stretch of days only."""

from __future__ import annotations

import dataclasses
import random
import re
import tempfile
from datetime import date, timedelta
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pci_config.exceptions import ExceptionEntry
from pci_config.exceptions_file import ExceptionsError, load_register
from pci_config.resource_pattern import resource_fault

ACCOUNT, REGION, RULE = "600000000006", "eu-west-1", "PCI_X"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEMPLATES = (
    ("sg-{hex}", "arn:aws:ec2:{region}:{account}:security-group/sg-{hex}"),
    ("vpc-{hex}", "arn:aws:ec2:{region}:{account}:vpc/vpc-{hex}"),
    ("{name}", "arn:aws:s3:::{name}"),
    ("{name}", "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{name}"),
    ("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{name}/{hex}",) * 2,
    ("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/net/{name}/{hex}",) * 2,
    ("arn:aws:elasticloadbalancing:{region}:{account}:listener/app/{name}/{hex}/{hex}",) * 2,
    ("arn:aws:elasticloadbalancing:{region}:{account}:listener/net/{name}/{hex}/{hex}",) * 2,
    ("arn:aws:ecs:{region}:{account}:task-definition/{name}:12",) * 2,
    ("arn:aws:ecs:{region}:{account}:service/{name}/{name}",) * 2,
    ("arn:aws:wafv2:{region}:{account}:regional/webacl/{name}/{hex}",) * 2,
    ("arn:aws:apigateway:{region}::/restapis/{hex}/stages/prod",) * 2,
    ("arn:aws:apigateway:{region}::/apis/{hex}/stages/prod",) * 2,
    ("db-{hex}", "arn:aws:rds:{region}:{account}:db:{name}"),
    ("cluster-{hex}", "arn:aws:rds:{region}:{account}:cluster:{name}"),
    ("AIDA{hex}", "arn:aws:iam::{account}:user/{name}"),
    ("AROA{hex}", "arn:aws:iam::{account}:role/{name}"),
    ("E{hex}", "arn:aws:cloudfront::{account}:distribution/E{hex}"),
    ("{name}", "arn:aws:lambda:{region}:{account}:function:{name}"),
    ("{name}", "arn:aws:ecr:{region}:{account}:repository/{name}"),
)


@st.composite
def neighbours(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Twenty resources of one kind, (id, ARN) each, whose names begin differently; ids are drawn as AWS draws them."""
    id_form, arn_form = draw(st.sampled_from(TEMPLATES))
    chance = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311 - draws names, not keys
    found = []
    for first in chance.sample(LETTERS, 20):
        name = first + "".join(chance.choice(LETTERS + "0123456789-") for _ in range(chance.randint(5, 20)))
        parts = {"name": name, "hex": f"{chance.getrandbits(68):017x}", "region": REGION, "account": ACCOUNT}
        found.append((id_form.format(**parts), arn_form.format(**parts)))
    return found


@st.composite
def cut_patterns(draw: st.DrawFn) -> str:
    """What somebody might write who wants much at once: a real id or ARN with parts replaced by wildcards, or nonsense."""
    resource_id, arn = draw(neighbours())[0]
    pattern = draw(st.sampled_from((resource_id, arn)))
    way = draw(st.integers(0, 9))
    if way == 0:
        return draw(st.text("*?[]a-z:/0", min_size=1, max_size=12))
    if way < 5:
        return pattern[: draw(st.integers(0, len(pattern)))] + draw(st.sampled_from(("*", "?*", "*?", "**")))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(pattern)))
        end = draw(st.integers(start, len(pattern)))
        pattern = pattern[:start] + draw(st.sampled_from(("*", "?", "**", "?*", "[a-z]*", "a", ""))) + pattern[end:]
    return pattern


def entry(resource: str, created: date = date(2026, 1, 1), days: int = 300) -> ExceptionEntry:
    texts = {"reason": "Some reason", "approver": "CISO", "ticket": "SEC-1", "compensating_control": "Some control"}
    return ExceptionEntry(
        rule=RULE, accounts=(ACCOUNT,), regions=(REGION,), resource=resource, created=created,
        expires=created + timedelta(days=days), **texts,
    )  # fmt: skip


def covered(pattern: str, resource_id: str, arn: str | None) -> bool:
    return entry(pattern).names(RULE, ACCOUNT, REGION, resource_id, arn)


@settings(max_examples=400, deadline=None)
@given(cut_patterns(), neighbours())
def test_no_valid_entry_covers_a_whole_kind_of_resource(pattern: str, resources: list[tuple[str, str]]) -> None:
    if resource_fault(pattern) is None:
        for known in (True, False):
            assert sum(covered(pattern, i, arn if known else None) for i, arn in resources) <= 1, "one name, one resource"


@settings(max_examples=200, deadline=None)
@given(cut_patterns(), neighbours())
def test_what_stands_before_the_first_wildcard_of_a_valid_pattern_tells_resources_apart(
    pattern: str, resources: list[tuple[str, str]]
) -> None:
    """Independent of the table of kinds: the resources that a valid pattern covers share id, or the fixed start of an ARN."""
    if resource_fault(pattern) is not None:
        return
    for resource_id, arn in resources:
        if covered(pattern, resource_id, arn):
            assert pattern in (resource_id, arn) or re.match(re.escape(re.split(r"[*?]", pattern)[0]), arn)


@settings(deadline=None)
@given(neighbours(), st.booleans())
def test_a_resource_named_in_full_is_covered_alone(resources: list[tuple[str, str]], by_arn: bool) -> None:
    resource_id, arn = resources[0]
    name = arn if by_arn else resource_id
    assert resource_fault(name) is None
    assert [pair for pair in resources if covered(name, *pair)] == [resources[0]]


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 365), st.integers(-500, 900), st.integers(0, 60))
def test_an_entry_is_in_force_for_one_stretch_of_days(created: date, days: int, offset: int, soon: int) -> None:
    one, day = entry("sg-1", created, days), created + timedelta(days=offset)
    inside = 0 <= offset <= days
    assert one.covers(RULE, ACCOUNT, REGION, "sg-1", None, day) is inside
    assert (one.state(day, soon) in ("in-force", "expires-soon")) is inside
    order = ("not-yet", "in-force", "expires-soon", "expired")
    assert order.index(one.state(day, soon)) <= order.index(one.state(day + timedelta(days=1), soon)), "never back in force"


@given(st.integers(1, 365), st.integers(1, 365), st.integers(0, 400))
def test_a_longer_entry_accepts_at_least_what_a_shorter_one_does(first: int, second: int, offset: int) -> None:
    shorter, longer = (entry("sg-1", days=days) for days in sorted((first, second)))
    day = shorter.created + timedelta(days=offset)
    if shorter.covers(RULE, ACCOUNT, REGION, "sg-1", None, day):
        assert longer.covers(RULE, ACCOUNT, REGION, "sg-1", None, day)


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.dates(), st.text(max_size=20))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
FIELDS = tuple(field.name for field in dataclasses.fields(ExceptionEntry))


def read(content: bytes) -> tuple[tuple[ExceptionEntry, ...], list[str]]:
    """Entries of a file with this content, or what is wrong with it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exceptions.yaml"
        path.write_bytes(content)
        try:
            return load_register(path, today=date(2026, 11, 24)).entries, []
        except ExceptionsError as error:
            return (), error.problems


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(FIELDS), VALUES)
def test_any_value_in_any_field_is_taken_as_it_is_or_refused_by_name(name: str, value: object) -> None:
    right = entry("sg-1").as_json() | {name: value}
    entries, problems = read(yaml.safe_dump({"exceptions": [right]}, sort_keys=False).encode("utf-8", "surrogatepass"))
    if problems:
        assert all("exceptions.yaml: " in problem for problem in problems)
        return
    taken = entries[0].as_json()
    assert {k: v for k, v in taken.items() if k != name} == {k: v for k, v in right.items() if k != name}
    assert taken[name] == (value.strip() if isinstance(value, str) else value if isinstance(value, list) else str(value))


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_an_empty_register_or_refused(text: str) -> None:
    entries, problems = read(text.encode("utf-8", "surrogatepass"))
    assert entries == ()
    assert problems or not text.strip() or text.lstrip().startswith("#")
