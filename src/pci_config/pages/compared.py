"""Where our rules and other tools judge the same resource differently: `docs/compared.md`, from `tests/compared`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pci_config.pages.markdown import generated, page, table

FOLDER = Path("tests/compared")
PAGE = Path("docs/compared.md")
MORE = "theirs.yaml"
TOOLS = {"prowler": "Prowler", "custodian": "Cloud Custodian", "aws": "AWS managed rule"}
WAYS = {"run": "run", "read": "read"}
VERDICTS = {"COMPLIANT": "compliant", "NON_COMPLIANT": "non-compliant", "NOT_APPLICABLE": "not applicable", "ERROR": "error"}
INTRODUCTION = """\
Cases in which one of our rules and another tool say different things about the same resource. Each is a test: our rule judges a
recorded item, changed as told, and must give the verdict and the words shown here (`tests/unit/test_compared.py`).

The verdict of others is marked *run* when their check was called on that resource as their tool reads it, and *read* when it
follows from their code or, for AWS's managed rules, from AWS's description. A filter of Cloud Custodian that matches is a
finding, unless it says "as wanted". All of them ask other questions than we do, for other users: a difference is no fault of
theirs. Where they are right, or see more, is [at the end](#where-they-are-right-or-see-more).
"""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What another tool says. `line`: what decides there, in our words; `way`: `run` or `read`."""

    tool: str
    check: str
    verdict: str
    way: str
    line: str


@dataclass(frozen=True, slots=True)
class Case:
    """A resource on which our rule and others differ. `judged` is what a test needs to make the item and its surroundings."""

    id: str
    resource: str
    rule: str
    verdict: str
    words: tuple[str, ...]
    theirs: tuple[Opinion, ...]
    why: str
    judged: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Topic:
    title: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class More:
    """Something that another tool sees and ours did not, or do not: `answer` is what came of it."""

    tool: str
    check: str
    sees: str
    answer: str
    done: str


@dataclass(frozen=True, slots=True)
class Comparison:
    versions: Mapping[str, str]
    topics: tuple[Topic, ...]
    more: tuple[More, ...]

    @property
    def cases(self) -> list[Case]:
        return [case for topic in self.topics for case in topic.cases]


def comparison(root: Path) -> Comparison:
    """Everything below `tests/compared`. Raises KeyError when a member is missing."""
    folder = root / FOLDER
    more = yaml.safe_load((folder / MORE).read_text("utf-8"))
    return Comparison(
        versions=more["versions"],
        topics=tuple(_topic(path) for path in sorted(folder.glob("[0-9]*.yaml"))),
        more=tuple(More(*(str(entry[key]) for key in ("tool", "check", "sees", "answer", "done"))) for entry in more["more"]),
    )


def compared_pages(root: Path) -> dict[Path, str]:
    """The page by its path; none where the cases are not there (an installed package)."""
    return {PAGE: compared_page(comparison(root))} if (root / FOLDER / MORE).is_file() else {}


def compared_page(found: Comparison) -> str:
    opinions = [opinion for case in found.cases for opinion in case.theirs]
    runs = sum(opinion.way == "run" for opinion in opinions)
    lines = [
        generated("tests/compared"),
        "# Compared with Prowler, Cloud Custodian and AWS managed rules",
        "",
        INTRODUCTION,
        f"{len(found.cases)} cases, {len(opinions)} verdicts of others: {runs} run, {len(opinions) - runs} read.",
        "Compared with: " + ", ".join(found.versions.values()) + ".",
    ]
    lines += ["", *_overview(found.topics)]
    for topic in found.topics:
        lines += ["", f"## {topic.title}"]
        for case in topic.cases:
            lines += ["", *_section(case)]
    lines += ["", "## Where they are right, or see more", ""]
    lines += table(
        ["tool", "check", "what it sees", "what we did", "why"],
        ((TOOLS[entry.tool], f"`{entry.check}`", entry.sees, entry.done, entry.answer) for entry in found.more),
    )
    return page(lines)


def _overview(topics: Sequence[Topic]) -> list[str]:
    """How many cases of each topic are findings of ours, and how many are findings of others only."""
    objected = [sum(case.verdict == "NON_COMPLIANT" for case in topic.cases) for topic in topics]
    return table(
        ["topic", "cases", "we object", "only others object"],
        (
            (topic.title, str(len(topic.cases)), str(ours), str(len(topic.cases) - ours))
            for topic, ours in zip(topics, objected, strict=True)
        ),
    )


def _section(case: Case) -> Iterator[str]:
    yield f"### {case.resource}"
    yield ""
    words = " … ".join(case.words)
    yield from table(
        ["who", "says", "because", "known by"],
        [
            (f"[{case.rule}](rules/{case.rule}.md)", f"**{VERDICTS[case.verdict]}**", f"“{words}”", f"test `{case.id}`"),
            *(
                (f"{TOOLS[o.tool]} `{o.check}`", o.verdict, o.line, WAYS[o.way])
                for o in sorted(case.theirs, key=lambda opinion: list(TOOLS).index(opinion.tool))
            ),
        ],
    )
    yield ""
    yield case.why


def _topic(path: Path) -> Topic:
    document = yaml.safe_load(path.read_text("utf-8"))
    return Topic(document["topic"], tuple(_case(entry, document.get("defaults") or {}) for entry in document["cases"]))


def _case(entry: Mapping[str, Any], defaults: Mapping[str, Any]) -> Case:
    given = {**defaults, **entry}
    return Case(
        id=given["id"],
        resource=given["resource"],
        rule=given["rule"],
        verdict=given["ours"],
        words=tuple(_words(given["words"])),
        theirs=tuple(
            Opinion(*(str(one[key]) for key in ("tool", "check", "verdict", "way", "line"))) for one in given["theirs"]
        ),
        why=" ".join(given["why"].split()),
        judged=given,
    )


def _words(given: str | Sequence[str]) -> Sequence[str]:
    return [given] if isinstance(given, str) else given
