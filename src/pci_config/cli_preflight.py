"""`pci-config preflight`: options, and how the answer is told. The work is in `deploy/preflight*.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from pci_config.deploy.preflight_check import Check

OK, FAILED, USAGE = 0, 1, 2
STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "not assessed": "cyan"}


class TableFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


Settings = Annotated[Path, typer.Option(help="The settings file.")]
OutputFormat = Annotated[TableFormat, typer.Option("--format", help="How to write it.")]


def preflight_command(
    settings: Settings = Path("rdk.json"),
    profile: Annotated[str | None, typer.Option(help="Profile with the delegated administrator's credentials.")] = None,
    role_name: Annotated[
        str | None, typer.Option(help="Role to assume in each account, to look into it; none: what can be seen from outside.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 also for warnings and what is not assessed.")] = False,
    output_format: OutputFormat = TableFormat.TABLE,
) -> None:
    """Tell whether the organization is ready for a deployment, and how to mend what is not. Nothing is changed.

    What cannot be read is "not assessed", never a pass. Exit codes: 0 nothing fails, 1 something fails, 2 usage or settings.

    Example: pci-config preflight --profile security --role-name AWSControlTowerExecution
    """
    from datetime import UTC, datetime  # noqa: PLC0415 - so that other commands start quickly

    from pci_config.catalogue import Catalogue, CatalogueError, project_root  # noqa: PLC0415
    from pci_config.deploy.preflight import checks, failed  # noqa: PLC0415
    from pci_config.deploy.preflight_check import Question  # noqa: PLC0415
    from pci_config.deploy.preflight_reading import demand, read_facts  # noqa: PLC0415
    from pci_config.rdk_json import RdkJson, SettingsError  # noqa: PLC0415
    from pci_config.recording_needs import needs  # noqa: PLC0415

    try:
        rdk_json = RdkJson.load(settings)
        catalogue = Catalogue.load()
        wanted = demand(catalogue, project_root())
    except (SettingsError, CatalogueError) as error:
        _refuse(str(error))
    clients, enter = _sessions(profile, role_name, rdk_json.settings.home_region)
    with _progress() as tell:
        facts = read_facts(clients, rdk_json, role_name or "", enter, tell)
    asked = Question(facts, rdk_json, wanted, needs(catalogue), datetime.now(UTC))
    found = checks(asked)
    if output_format is TableFormat.JSON:
        counts = {verdict: sum(check.verdict == verdict for check in found) for verdict in STYLES}
        typer.echo(
            json.dumps(
                {
                    "summary": counts,
                    "checks": [check.document() for check in found],
                },
                indent=2,
                ensure_ascii=False,
            )
        )
    else:
        _tell_checks(found)
    raise typer.Exit(FAILED if failed(found, strict) else OK)


def _sessions(profile: str | None, role_name: str | None, home_region: str) -> tuple[Any, Callable[[str], Any] | None]:
    """The caller's clients, and how an account is entered by the role."""
    import boto3  # noqa: PLC0415 - takes a moment to import
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from pci_config.deploy.preflight_account_reading import reason_of  # noqa: PLC0415
    from pci_config.sources.account import SessionClients  # noqa: PLC0415

    try:
        session = boto3.Session(profile_name=profile, region_name=home_region)
    except BotoCoreError as error:
        _refuse(f"{error}: see `aws configure list-profiles`")
    clients = SessionClients(session, home_region)
    if not role_name:
        return clients, None
    partition = session.get_partition_for_region(home_region)

    def enter(account: str) -> Any:
        arn = f"arn:{partition}:iam::{account}:role/{role_name}"
        try:
            keys = clients.build_client("sts").assume_role(RoleArn=arn, RoleSessionName="pci-config-preflight")["Credentials"]
        except (ClientError, BotoCoreError) as error:
            return f"{role_name} cannot be assumed ({reason_of(error)})"
        entered = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=home_region)
        return SessionClients(entered, home_region)

    return clients, enter


def _progress() -> Any:
    """A line on a terminal, nothing otherwise."""
    from contextlib import contextmanager  # noqa: PLC0415 - see above

    from rich.console import Console  # noqa: PLC0415

    errors = Console(stderr=True)

    @contextmanager
    def quiet() -> Any:
        yield lambda _: None

    @contextmanager
    def shown() -> Any:
        with errors.status("reading …") as status:
            yield lambda text: status.update(f"read {text}")

    return shown() if errors.is_terminal else quiet()


def _tell_checks(found: Sequence[Check]) -> None:
    from rich import box  # noqa: PLC0415 - see above
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from pci_config.deploy.preflight_check import FAIL, NOT_ASSESSED, told  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("verdict", "check", "what is so", "what to do"):
        table.add_column(column, overflow="fold")
    for check in found:
        table.add_row(Text(check.verdict, STYLES[check.verdict]), Text(check.id), Text(told(check)), Text(check.fix))
    console = Console()
    console.print(table)
    counts = {verdict: sum(check.verdict == verdict for check in found) for verdict in STYLES}
    console.print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()), highlight=False)
    if counts[FAIL]:
        console.print("Not ready: mend what fails, and run it again.", highlight=False)
    elif counts[NOT_ASSESSED]:
        console.print("Nothing fails; what is not assessed may.", highlight=False)


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(USAGE)
