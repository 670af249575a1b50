"""`pci-config plan`, `deploy`, `status` and `destroy`: options, what is asked, and how it is told. The work is in `deploy/`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from pci_config.deploy.deployer import Deployer
    from pci_config.deploy.plan import Plan
    from pci_config.deploy.problems import Outcome
    from pci_config.deploy.release import Release, Store
    from pci_config.deploy.status import Status
    from pci_config.rdk_json import RdkJson

OK, FAILED, USAGE, STOPPED, INTERRUPTED = 0, 1, 2, 3, 130
EXIT_CODES = """Exit codes: 0 all is done, 1 it failed in accounts, which are named, 2 usage, settings or a no, 3 it cannot go
on, 130 interrupted."""


class OutputFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


Settings = Annotated[Path, typer.Option(help="The settings file.")]
Profile = Annotated[str | None, typer.Option(help="Profile with the delegated administrator's credentials.")]
Role = Annotated[str | None, typer.Option(help="ARN of a role to assume first.")]
Single = Annotated[
    bool, typer.Option("--single-account", help="The caller's own account alone: plain stacks and packs, no organization.")
]
Management = Annotated[
    bool,
    typer.Option(
        "--management-account", help="The caller's account is the management account: its own stacks, as deployed last."
    ),
]
Format = Annotated[OutputFormat, typer.Option("--format", help="json: one document on standard output, progress on error.")]
Exceptions = Annotated[
    Path | None, typer.Option(help="The register of exceptions; default: exceptions.yaml beside the settings file.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Minutes = Annotated[int, typer.Option("--timeout", min=1, help="Minutes in which a part has to end.")]


def plan_command(
    settings: Settings = Path("rdk.json"),
    exceptions: Exceptions = None,
    profile: Profile = None,
    role: Role = None,
    single_account: Single = False,
    management_account: Management = False,
    output_format: Format = OutputFormat.TEXT,
) -> None:
    """Tell what `deploy` would create, update and delete. Nothing is changed.

    Example: pci-config plan --profile security --format json
    """
    with _told(output_format):
        deployer = _deployer(_settings(settings), profile, role, _mode(single_account, management_account), output_format)
        plan, _run = _planned(deployer, exceptions or settings.with_name("exceptions.yaml"))
        if output_format is OutputFormat.JSON:
            _write(plan.document())
        else:
            _tell_plan(plan)


def deploy_command(
    settings: Settings = Path("rdk.json"),
    exceptions: Exceptions = None,
    profile: Profile = None,
    role: Role = None,
    single_account: Single = False,
    management_account: Management = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Go back to the release before the present one.")] = False,
    yes: Yes = False,
    timeout: Minutes = 120,
    output_format: Format = OutputFormat.TEXT,
) -> None:
    """Deploy to every account of the organization, and wait for each. Run it again at any time: it goes on where it was.

    Example: pci-config deploy --profile security
    """
    if output_format is OutputFormat.JSON and not yes:
        _refuse("--format json asks nothing; add --yes")
    with _told(output_format):
        mode = _mode(single_account, management_account)
        deployer = _deployer(_settings(settings), profile, role, mode, output_format, timeout)
        plan, run = _planned(deployer, exceptions or settings.with_name("exceptions.yaml"), rollback)
        if output_format is OutputFormat.TEXT:
            _tell_plan(plan)
        if plan.to_do and not yes and not typer.confirm("Deploy?"):
            _refuse("Nothing was changed.")
        outcome = run()
        if output_format is OutputFormat.JSON:
            _write({"plan": plan.document(), "outcome": outcome.document()})
        else:
            _tell_outcome(outcome, f"Deployed: release {plan.release.id[:12]}, version {plan.release.version}.")
        raise typer.Exit(FAILED if outcome.failures else OK)


def status_command(
    settings: Settings = Path("rdk.json"),
    profile: Profile = None,
    role: Role = None,
    single_account: Single = False,
    output_format: Format = OutputFormat.TEXT,
) -> None:
    """Tell for each account and Region what is deployed, and what failed and why.

    Exit codes: 0 all is as it should be, 1 it is not, 2 usage or settings, 3 it cannot be told.

    Example: pci-config status --profile security
    """
    with _told(output_format):
        from pci_config.deploy.release import Store  # noqa: PLC0415 - see above
        from pci_config.deploy.status import read_everything  # noqa: PLC0415

        deployer = _deployer(_settings(settings), profile, role, _mode(single_account), output_format)
        status = read_everything(deployer, Store(deployer))
        if output_format is OutputFormat.JSON:
            _write(status.document())
        else:
            _tell_status(status)
        raise typer.Exit(OK if status.well else FAILED)


def destroy_command(
    settings: Settings = Path("rdk.json"),
    profile: Profile = None,
    role: Role = None,
    single_account: Single = False,
    management_account: Management = False,
    yes: Yes = False,
    timeout: Minutes = 120,
    output_format: Format = OutputFormat.TEXT,
) -> None:
    """Delete what was deployed from every account. Evidence, archives and logs stay.

    Asks for the organization's name as rdk.json has it (its id if it has none; the account's id with
    --single-account and --management-account).

    Example: pci-config destroy --profile security
    """
    if output_format is OutputFormat.JSON and not yes:
        _refuse("--format json asks nothing; add --yes")
    with _told(output_format):
        from pci_config.deploy.destroy import destroy, what_is_there  # noqa: PLC0415 - see above
        from pci_config.deploy.release import Store  # noqa: PLC0415

        rdk_json = _settings(settings)
        mode = _mode(single_account, management_account)
        deployer = _deployer(rdk_json, profile, role, mode, output_format, timeout)
        deletions = what_is_there(deployer)
        if output_format is OutputFormat.TEXT:
            for change in deletions:
                typer.echo(f"  {change}")
            kept = rdk_json.evidence_bucket
            typer.echo(f"Stays: {f'the evidence bucket {kept}, ' if kept else ''}archives and log groups.")
        if not yes:
            name = deployer.account if mode else rdk_json.model.organization or deployer.organization.id
            if typer.prompt(f"All of this will be deleted. Type {name} to go on", default="", show_default=False) != name:
                _refuse("Nothing was changed.")
        outcome = destroy(deployer, Store(deployer))
        if output_format is OutputFormat.JSON:
            _write({"deletions": [change.document() for change in deletions], "outcome": outcome.document()})
        else:
            _tell_outcome(outcome, "Deleted.")
        raise typer.Exit(FAILED if outcome.failures else OK)


def add_commands(app: typer.Typer) -> None:
    app.command("plan")(plan_command)
    app.command("deploy", epilog=EXIT_CODES)(deploy_command)
    app.command("status")(status_command)
    app.command("destroy", epilog=EXIT_CODES)(destroy_command)


# ------------------------------------------------------------------------------------------------- settings and release


def _settings(path: Path) -> RdkJson:
    from pci_config.rdk_json import RdkJson, SettingsError  # noqa: PLC0415 - see above

    try:
        return RdkJson.load(path)
    except SettingsError as error:
        _refuse(str(error))


def _mode(single: bool, management: bool = False) -> str:
    """Which account of its own is deployed to: single, management, or none."""
    if single and management:
        _refuse("--single-account and --management-account exclude each other")
    return "single" if single else "management" if management else ""


def _deployer(
    rdk_json: RdkJson, profile: str | None, role: str | None, mode: str, output: OutputFormat, minutes: int = 120
) -> Deployer:
    from pci_config.deploy import deployer as deployers  # noqa: PLC0415 - so that other commands start quickly
    from pci_config.deploy import waiting  # noqa: PLC0415

    return deployers.Deployer(
        deployers.session(profile, role, rdk_json.settings.home_region),
        rdk_json,
        single=mode == "single",
        waiting=waiting.Waiting(minutes * 60),
        tell=lambda text: typer.echo(text, err=output is OutputFormat.JSON),
        management=mode == "management",
    )


def _planned(deployer: Deployer, exceptions: Path, rollback: bool = False) -> tuple[Plan, Callable[[], Outcome]]:
    """The plan, and what carries it out."""
    from pci_config.deploy.desired import desired, desired_of_management  # noqa: PLC0415 - see above
    from pci_config.deploy.phases import deploy, deploy_to_management  # noqa: PLC0415
    from pci_config.deploy.plan import make_plan, plan_of_management  # noqa: PLC0415

    if deployer.management:
        release, store = _present(deployer)
        specs = desired_of_management(deployer, release)
        plan = plan_of_management(deployer, store, specs, release)
        return plan, lambda: deploy_to_management(deployer, store, specs)
    release, store = _previous(deployer) if rollback else _release(deployer, exceptions)
    wanted = desired(deployer, release)
    return make_plan(deployer, store, wanted), lambda: deploy(deployer, store, wanted, rollback)


def _release(deployer: Deployer, exceptions: Path) -> tuple[Release, Store]:
    """What `pci-config build` has written, if that is what it would write now."""
    from pci_config import build  # noqa: PLC0415 - see above
    from pci_config.bundle import build_bundle  # noqa: PLC0415
    from pci_config.catalogue import Catalogue, CatalogueError, project_root  # noqa: PLC0415
    from pci_config.deploy.release import built  # noqa: PLC0415
    from pci_config.exceptions_file import ExceptionsError, Known, load_register  # noqa: PLC0415
    from pci_config.rule import ParameterError  # noqa: PLC0415

    root = project_root()
    try:
        catalogue = Catalogue.load(root)
        register = load_register(exceptions, Known.of(catalogue, deployer.rdk_json))
        artefacts = build.generate(root, catalogue, deployer.rdk_json, register)
    except (ExceptionsError, CatalogueError, ParameterError) as error:
        _refuse(str(error))
    outdated = [path for path in build.drift(root, artefacts) if path.parts[0] in ("org_setup", *build_packs())]
    if outdated:
        _refuse(
            "\n".join(f"{path}: out of date; run `pci-config build`, look at what changes, then deploy" for path in outdated)
        )
    build_bundle(root / build.BUNDLE, catalogue, deployer.rdk_json, register)
    return built(deployer, artefacts.checked_in, (root / build.BUNDLE).read_bytes())


def build_packs() -> tuple[str, ...]:
    from pci_config.deploy.release import PACK_FILES  # noqa: PLC0415 - see above

    return tuple(PACK_FILES.values())


def _present(deployer: Deployer) -> tuple[Release, Store]:
    from pci_config.deploy.problems import DeployError  # noqa: PLC0415 - see above
    from pci_config.deploy.release import Store  # noqa: PLC0415

    store = Store(deployer)
    release = store.history().newest
    if release is None:
        raise DeployError("the delegated administrator has deployed nothing yet", "run `pci-config deploy` there first")
    return release, store


def _previous(deployer: Deployer) -> tuple[Release, Store]:
    from pci_config.deploy.release import Store  # noqa: PLC0415 - see above

    store = Store(deployer)
    release = store.history().gone_back().newest
    assert release is not None  # noqa: S101 - gone_back refuses when there is none
    return release, store


# -------------------------------------------------------------------------------------------------------------- telling


@contextmanager
def _told(output: OutputFormat) -> Iterator[None]:
    """What stops it is told to people, or as a document."""
    from pci_config.deploy.problems import DeployError  # noqa: PLC0415 - see above

    try:
        yield
    except DeployError as error:
        if output is OutputFormat.JSON:
            _write({"error": {"what": error.what, "fix": error.fix}})
        typer.echo(str(error), err=True)
        raise typer.Exit(STOPPED) from None
    except KeyboardInterrupt:
        typer.echo("Interrupted. What AWS has begun goes on; run the same command again to go on from there.", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(USAGE)


def _write(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _tell_plan(plan: Plan) -> None:
    where = f"organization {plan.organization}, {plan.members} accounts" if plan.organization else "this account alone"
    typer.echo(f"Account {plan.account}, {where}; release {plan.release.id[:12]}, version {plan.release.version}")
    if plan.deployed and plan.deployed.id != plan.release.id:
        typer.echo(f"Present release: {plan.deployed.id[:12]}, version {plan.deployed.version}")
    for change in plan.to_do:
        typer.echo(f"  {change}")
    counts = plan.counts()
    typer.echo(
        ", ".join(f"{count} to {action}" if action != "unchanged" else f"{count} unchanged" for action, count in counts.items())
    )


def _tell_outcome(outcome: Outcome, done: str) -> None:
    if not outcome.failures:
        typer.echo(done)
        return
    typer.echo(f"Failed in {len({failure.account for failure in outcome.failures})} accounts:", err=True)
    for failure in sorted(outcome.failures):
        typer.echo(f"  {failure.account} {failure.region} {failure.of}: {failure.reason}", err=True)
        typer.echo(f"    what to do: {failure.fix}", err=True)
    if outcome.stopped:
        typer.echo(f"Stopped after: {outcome.stopped}. Nothing after it was changed.", err=True)


def _tell_status(status: Status) -> None:
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.table import Table  # noqa: PLC0415

    release = f"release {status.release.id[:12]}, version {status.release.version}" if status.release else "nothing deployed"
    typer.echo(f"Account {status.account}: {release}{'' if status.completed else '; not deployed to its end'}")
    table = Table("account", "Region", "stacks", "bundle", "packs", box=None)
    for place in status.places:
        stacks = ", ".join(sorted(set(place.stacks.values())))
        packs = ", ".join(f"{name} {state}" for name, state in place.packs.items())
        table.add_row(place.account, place.region, stacks, (place.bundle or "-")[:12], packs)
    Console().print(table)
    for place in status.places:
        for error in place.errors:
            typer.echo(f"{place.account} {place.region} {error['of']}: {error['reason']}\n  what to do: {error['fix']}")
