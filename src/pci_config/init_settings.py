"""What `pci-config init` writes: the questions with their explanations, a proposal from what was read, and the file itself.

Deciding is apart from asking (`pci_config.cli_init`) and from reading AWS (`pci_config.init_organization`).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pci_config.init_questions import BY_PLACE, QUESTIONS, Answer, Question
from pci_config.org_names import AGGREGATOR
from pci_config.rdk_json import RdkJson, SettingsError


@dataclass(frozen=True, slots=True)
class Account:
    """A member as Organizations tells of it; `units` are the names of the units above it, outermost first."""

    id: str
    name: str
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What was read. `notes` tell where each came from, or why it could not be read."""

    own_account: str = ""
    region: str = ""
    management: str = ""
    accounts: tuple[Account, ...] = ()
    administrators: tuple[str, ...] = ()  # for organization packs
    regions: tuple[str, ...] = ()
    aggregators: tuple[str, ...] = ()  # of the organization, in `region`
    notes: tuple[str, ...] = ()


# -------------------------------------------------------------------------------------------------------------- proposal

# In this order: "identity-production" is an identity account. Words are compared whole, so that "product" is not "prod".
WORDS: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
    ("log_archive", frozenset({"log", "logs", "logging", "logarchive"}), frozenset({"archive", "logarchive"})),
    ("identity_production", frozenset({"identity", "iam", "sso"}), frozenset({"production", "prod", "prd"})),
    ("identity", frozenset({"identity", "iam", "sso"}), frozenset()),
    ("delegated_admin", frozenset({"security", "audit", "delegated"}), frozenset()),
    ("staging", frozenset({"staging", "stage", "stg", "preprod", "uat", "acceptance", "nonprod"}), frozenset()),
    ("development", frozenset({"development", "dev", "sandbox", "sandboxes", "test"}), frozenset()),
    ("production", frozenset({"production", "prod", "prd", "live"}), frozenset()),
)


def proposed(found: Found) -> dict[str, Answer]:
    """Answers by place, as far as what was read suggests any. They are for a person to look at."""
    answers: dict[str, Answer] = {}
    if found.regions:
        answers["Regions"] = found.regions
    if found.region and (found.region in found.regions or not found.regions):
        answers["HomeRegion"] = found.region
        answers.setdefault("Regions", (found.region,))
    by_role: dict[str, list[str]] = {}
    for account in found.accounts:
        role = role_of(account)
        if account.id != found.management and role:
            by_role.setdefault(role, []).append(account.id)
    administrators = [each for each in found.administrators if each != found.management]
    if administrators:  # registered outranks a name
        by_role["delegated_admin"] = administrators
    if found.management:
        by_role["management"] = [found.management]
    for role, ids in by_role.items():
        question = BY_PLACE[f"Accounts.{role}"]
        if question.many:
            answers[question.place] = tuple(sorted(ids))
        elif len(ids) == 1:  # of two that look alike a person chooses
            answers[question.place] = ids[0]
    foreign = [name for name in found.aggregators if name != AGGREGATOR]  # ours is not to be named: its stack would drop it
    if len(foreign) == 1:
        answers["Deployment.Aggregator"] = foreign[0]
    return answers


def role_of(account: Account) -> str | None:
    """The role that an account's name says, else that of its units, the innermost first; None when they say nothing."""
    for name in (account.name, *reversed(account.units)):
        words = set(_words(name))
        for role, one, other in WORDS:
            if words & one and (not other or words & other):
                return role
    return None


def _words(name: str) -> list[str]:
    spaced = "".join(
        f" {letter.lower()}" if letter.isupper() and previous.islower() else letter.lower() if letter.isalnum() else " "
        for previous, letter in zip(" " + name, name, strict=False)
    )
    return spaced.split()


def unassigned(found: Found, answers: Mapping[str, Answer]) -> list[Account]:
    """Accounts that no role names: the rules that compare roles do not know them."""
    named = {each for place, answer in answers.items() if place.startswith("Accounts.") for each in as_list(answer)}
    return [account for account in found.accounts if account.id not in named]


# ------------------------------------------------------------------------------------------------------------------ file


def as_list(answer: Answer) -> list[str]:
    return [answer] if isinstance(answer, str) else list(answer)


def split(text: str) -> tuple[str, ...]:
    """Entries of a list as people write it."""
    return tuple(entry for entry in text.replace(",", " ").split() if entry)


def missing(answers: Mapping[str, Answer]) -> list[Question]:
    """Needed fields without an answer."""
    return [question for question in QUESTIONS if question.needed and not answers.get(question.place)]


def document(answers: Mapping[str, Answer], management_account: bool = False, packs: str | None = None) -> dict[str, Any]:
    """The content of rdk.json, in the order in which people read it. Fields that stay at their default are left out."""
    found: dict[str, Any] = {}
    for question in QUESTIONS:
        answer = answers.get(question.place)
        if not answer:
            continue
        *outer, name = question.place.split(".")
        target = found
        for step in outer:
            target = target.setdefault(step, {})
        ids = as_list(answer)
        single = outer == ["Accounts"] and len(ids) == 1
        target[name] = ids[0] if single or not question.many else ids
    archive = answers.get("Accounts.log_archive")
    if archive:
        found["LogArchive"] = {"Account": archive, **found.get("LogArchive", {})}
        if answers.get("Regions"):
            found["LogArchive"]["Regions"] = as_list(answers["Regions"])
    deployment = found.setdefault("Deployment", {})
    if management_account:
        deployment["ManagementAccount"] = True
    if packs:
        deployment["Packs"] = packs
    order = ("Organization", "HomeRegion", "Regions", "Accounts", "LogArchive", "NetworkTiers", "Remediation", "Deployment")
    found["NetworkTiers"] = {}
    return {name: found[name] for name in order if name in found and (found[name] or name == "NetworkTiers")}


def text_of(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def write(path: Path, content: Mapping[str, Any], force: bool = False) -> RdkJson:
    """Write the file if, read back, it is valid: whole or not at all. Raises SettingsError; also when it is there already."""
    there = SettingsError([f"{path}: is there already; add --force to write over it, or name another with --settings"])
    if path.exists() and not force:
        raise there
    text = text_of(content)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pci-config-", dir=path.parent) as folder:
            draft = Path(folder) / path.name
            draft.write_text(text, "utf-8")
            _checked(draft, path)
            if force:
                draft.replace(path)
            else:
                _create(path, text, there)
    except OSError as error:
        raise SettingsError([f"{path}: cannot be written ({error.strerror or error})"]) from None
    return RdkJson.load(path)


def _create(path: Path, text: str, there: SettingsError) -> None:
    """Never over what came there meanwhile."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise there from None


def _checked(draft: Path, path: Path) -> None:
    try:
        RdkJson.load(draft)
    except SettingsError as error:
        raise SettingsError([problem.replace(str(draft), str(path), 1) for problem in error.problems]) from None


def explained(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Field, value and explanation of everything in the file, and of what is left at its default."""
    lines = []
    for question in QUESTIONS:
        value: Any = content
        for step in question.place.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        shown = ", ".join(value) if isinstance(value, list) else str(value) if value else "-"
        lines.append((question.place, shown, question.explanation))
    return lines


def further_steps(content: Mapping[str, Any]) -> list[str]:
    """What only the organization's own people can add."""
    tiers = "write down what each tier (tag pci:tier) may receive and send; rules on security groups and routes compare with it"
    steps = [f"NetworkTiers is empty: {tiers}"]
    steps += [
        f"Accounts.{role} is not set: rules that compare accounts by role cannot judge without it, and say so"
        for role in ("identity", "identity_production", "production")
        if not content.get("Accounts", {}).get(role)
    ]
    if not content.get("Remediation"):
        steps.append("Remediation.EvidenceBucket is not set: fixes run as dry runs only")
    return steps


def flags(values: Iterable[tuple[str, str | None]]) -> dict[str, Answer]:
    """Answers from options: place and text, None where the option was not given."""
    return {
        place: (split(text) if BY_PLACE[place].many else text.strip())
        for place, text in values
        if text is not None and text.strip()
    }


def names(questions: Sequence[Question]) -> str:
    return ", ".join(question.option for question in questions)
