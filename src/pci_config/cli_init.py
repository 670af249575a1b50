"""`pci-config init`: writes rdk.json from options, from what is read in the organization, and from answers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from pci_config.init_questions import Answer, Question
    from pci_config.init_settings import Found

USAGE = 2
Text = str | None


class Recorder(StrEnum):
    EXISTING = "existing"
    CREATE = "create"


class Packs(StrEnum):
    ORGANIZATION = "organization"
    STACKSET = "stackset"


def init_command(
    settings: Annotated[Path, typer.Option(help="The file to write.")] = Path("rdk.json"),
    from_organization: Annotated[
        bool, typer.Option("--from-organization", help="Propose answers from what AWS Organizations and AWS Config tell.")
    ] = False,
    profile: Annotated[Text, typer.Option(help="AWS profile for --from-organization.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: options, then proposals, then defaults.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    organization: Annotated[Text, typer.Option(help="Name of the organization, for reports.")] = None,
    home_region: Annotated[Text, typer.Option(help="Where rules on IAM and the account itself run.")] = None,
    regions: Annotated[Text, typer.Option(help="Regions in use, separated by commas.")] = None,
    management: Annotated[Text, typer.Option(help="Management account.")] = None,
    delegated_admin: Annotated[Text, typer.Option(help="Account that everything is deployed from.")] = None,
    log_archive: Annotated[Text, typer.Option(help="Account of the log archive.")] = None,
    identity: Annotated[Text, typer.Option(help="Accounts where IAM users may be, separated by commas.")] = None,
    identity_production: Annotated[Text, typer.Option(help="Accounts whose people reach production.")] = None,
    production: Annotated[Text, typer.Option(help="Production accounts, separated by commas.")] = None,
    staging: Annotated[Text, typer.Option(help="Staging accounts, separated by commas.")] = None,
    development: Annotated[Text, typer.Option(help="Development accounts, separated by commas.")] = None,
    archive_buckets: Annotated[Text, typer.Option(help="Buckets of the log archive, or patterns such as acme-logs-*.")] = None,
    evidence_bucket: Annotated[Text, typer.Option(help="Bucket for states before and after fixes.")] = None,
    units: Annotated[Text, typer.Option(help="Root or organizational units to deploy to; default: all.")] = None,
    excluded: Annotated[Text, typer.Option(help="Accounts that get nothing, separated by commas.")] = None,
    management_account: Annotated[
        bool, typer.Option("--management-account", help="The management account gets stacks and packs as well.")
    ] = False,
    recorder: Annotated[Recorder | None, typer.Option(help="create: deploy AWS Config's recorder as well.")] = None,
    packs: Annotated[Packs | None, typer.Option(help="stackset: packs only in the accounts of --units.")] = None,
    aggregator: Annotated[Text, typer.Option(help="Name of an aggregator that is there already.")] = None,
    alarm_email: Annotated[Text, typer.Option(help="Address that receives alarms.")] = None,
) -> None:
    """Write rdk.json, by asking, from options, or from what is read in the organization. Each field is explained.

    Exit codes: 0 written, 2 not written: an answer is missing or not valid, or the file is there already.

    Example: pci-config init --from-organization --profile security
    """
    from pci_config import init_settings  # noqa: PLC0415 - pydantic takes a moment to import
    from pci_config.init_questions import QUESTIONS  # noqa: PLC0415
    from pci_config.rdk_json import SettingsError  # noqa: PLC0415

    if settings.exists() and not force:
        _refuse(f"{settings}: is there already; add --force to write over it, or name another with --settings")
    answers = init_settings.flags(
        [
            ("Organization", organization),
            ("HomeRegion", home_region),
            ("Regions", regions),
            ("Accounts.management", management),
            ("Accounts.delegated_admin", delegated_admin),
            ("Accounts.log_archive", log_archive),
            ("Accounts.identity", identity),
            ("Accounts.identity_production", identity_production),
            ("Accounts.production", production),
            ("Accounts.staging", staging),
            ("Accounts.development", development),
            ("LogArchive.Buckets", archive_buckets),
            ("Remediation.EvidenceBucket", evidence_bucket),
            ("Deployment.OrganizationalUnits", units),
            ("Deployment.ExcludedAccounts", excluded),
            ("Deployment.Recorder", recorder.value if recorder else None),
            ("Deployment.Aggregator", aggregator),
            ("Deployment.AlarmEmail", alarm_email),
        ]
    )
    proposals: Mapping[str, Answer] = {}
    if from_organization:
        found = _read(profile, home_region)
        proposals = init_settings.proposed(found)
        _tell_found(found)
    if yes:
        answers = {**proposals, **answers}
    else:
        for question in QUESTIONS:
            if question.place not in answers:
                answer = _ask(question, proposals.get(question.place) or _follows(question, answers))
                if answer:
                    answers[question.place] = answer
    absent = init_settings.missing(answers)
    if absent:
        _refuse(f"{settings}: not written; needed and not given: {init_settings.names(absent)}")
    content = init_settings.document(answers, management_account, packs.value if packs else None)
    try:
        written = init_settings.write(settings, content, force)
    except SettingsError as error:
        _refuse(f"{error}\nnothing was written")
    _tell_written(settings, content)
    if from_organization:
        for account in init_settings.unassigned(found, answers):
            typer.echo(f"note: {account.id} ({account.name or 'no name'}) has no role in Accounts")
    for line in [*written.warnings(), *init_settings.further_steps(content)]:
        typer.echo(f"next: {line}")


def _read(profile: str | None, region: str | None) -> Found:
    import boto3  # noqa: PLC0415 - takes a moment to import
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from pci_config.init_organization import read_organization  # noqa: PLC0415

    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        if not session.region_name:
            _refuse("no Region is set: name one with --home-region, or in the profile")
        return read_organization(session, session.region_name)
    except (ClientError, BotoCoreError) as error:
        _refuse(f"AWS cannot be asked ({error}): sign in, or name a profile with --profile")


def _ask(question: Question, proposal: Answer | None) -> Answer | None:
    """The answer of a person at the terminal; what is needed is asked again until there is one."""
    from pci_config.init_settings import as_list, split  # noqa: PLC0415 - see above

    typer.echo(f"\n{question.place}: {question.explanation}")
    default = ", ".join(as_list(proposal)) if proposal else ""
    none = "" if question.needed or default else " (nothing: none)"
    while True:
        try:
            text = typer.prompt(f"{question.ask}{none}", default=default, show_default=bool(default)).strip()
        except typer.Abort:
            _refuse("\nnothing was written" + ("" if sys.stdin.isatty() else "; without a terminal use options and --yes"))
        if text == "-":  # the proposal is not wanted
            text = ""
        if text or not question.needed:
            return (split(text) if question.many else text) or None
        typer.echo("This is needed.")


def _follows(question: Question, answers: Mapping[str, Answer]) -> Answer | None:
    """What earlier answers suggest."""
    regions = answers.get("Regions")
    if question.place == "HomeRegion" and regions:
        return regions[0]
    return "existing" if question.place == "Deployment.Recorder" else None


def _tell_found(found: Found) -> None:
    for note in found.notes:
        typer.echo(f"read: {note}")
    for account in found.accounts:
        typer.echo(f"  {account.id}  {'/'.join((*account.units, account.name or '-'))}")


def _tell_written(path: Path, content: Mapping[str, object]) -> None:
    from pci_config.init_settings import explained  # noqa: PLC0415 - see above

    typer.echo(f"\nwrote {path}")
    for place, value, explanation in explained(content):
        typer.echo(f"  {place} = {value}\n      {explanation}")


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(USAGE)
