"""`pci-config remediate`: its options. The work is in `pci_config.remediating`, imported when a command runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

OK, ATTENTION, USAGE, INCOMPLETE, INTERRUPTED = 0, 1, 2, 3, 130


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


remediate_app = typer.Typer(
    help="Fix findings with Automation documents: plan, run, status, restore.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
PlanArgument = Annotated[Path, typer.Argument(help="The plan file.", metavar="PLAN")]
ProfileOption = Annotated[str | None, typer.Option(help="AWS profile.")]
RoleOption = Annotated[str | None, typer.Option(help="Role to assume in each account.")]
ApprovalOption = Annotated[str, typer.Option(help="Who approved it, and where (a ticket); recorded.")]
StateOption = Annotated[Path | None, typer.Option(help="The record of what was started; default: PLAN.state.json beside it.")]
OnlyOption = Annotated[list[str] | None, typer.Option("--only", help="Only this entry of the plan; may be given again.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
RetryOption = Annotated[bool, typer.Option("--retry", help="Start again what failed, was refused or could not be started.")]
AtOnceOption = Annotated[int, typer.Option(min=1, max=100, help="Executions at once, in all.")]
PerAccountOption = Annotated[int, typer.Option(min=1, max=100, help="Executions at once in each account.")]
FailuresOption = Annotated[int, typer.Option(min=0, help="Start nothing more after so many failures; 0: go on.")]
TimeoutOption = Annotated[int, typer.Option(min=1, max=1440, help="How long to wait for an execution.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write what came of it.")]
SettingsOption = Annotated[Path, typer.Option(help="The settings file.")]
ExceptionsOption = Annotated[Path, typer.Option(help="The register of exceptions.")]


@remediate_app.command("plan")
def plan_command(
    results: Annotated[Path | None, typer.Argument(help="Results of `pci-config assess`, json or jsonl.")] = None,
    account: Annotated[bool, typer.Option("--account", help="Assess the accounts now instead.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write the plan to this file, for `run`.")] = None,
    rules: Annotated[str, typer.Option(help="Only rules whose id matches one of these patterns, separated by commas.")] = "*",
    accounts: Annotated[str | None, typer.Option(help="Only these account ids, separated by commas.")] = None,
    regions: Annotated[str | None, typer.Option(help="Only these Regions, separated by commas.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask AWS nothing: no dry runs.")] = False,
    profile: ProfileOption = None,
    role_name: RoleOption = None,
    at_once: Annotated[int, typer.Option(min=1, max=50, help="Dry runs at once.")] = 5,
    output_format: FormatOption = Format.TABLE,
    settings: SettingsOption = Path("rdk.json"),
    exceptions: ExceptionsOption = Path("exceptions.yaml"),
) -> None:
    """Say what the fixes of these findings would change. Starts every document as a dry run; changes nothing.

    Exit codes: 0 planned, 2 usage or input error, 3 a dry run failed or could not be started.

    Example: pci-config remediate plan results.json --role-name pci-operator --output plan.json
    """
    from pci_config import remediating  # noqa: PLC0415 - boto3 and pydantic take half a second to import

    remediating.plan(
        results,
        account,
        remediating.Wanted(rules, remediating.listed(accounts), remediating.listed(regions)),
        remediating.Way(profile, role_name),
        remediating.Files(settings, exceptions),
        offline,
        at_once,
        output,
        output_format,
    )


@remediate_app.command("run")
def run_command(
    plan: PlanArgument,
    yes: YesOption = False,
    only: OnlyOption = None,
    retry: RetryOption = False,
    by_config: Annotated[
        bool, typer.Option("--by-config", help="Let AWS Config start them, with the deployed pack's parameters.")
    ] = False,
    at_once: AtOnceOption = 5,
    per_account: PerAccountOption = 2,
    max_failures: FailuresOption = 1,
    timeout_minutes: TimeoutOption = 30,
    profile: ProfileOption = None,
    role_name: RoleOption = None,
    approval: ApprovalOption = "",
    state: StateOption = None,
    output_format: FormatOption = Format.TABLE,
    settings: SettingsOption = Path("rdk.json"),
    exceptions: ExceptionsOption = Path("exceptions.yaml"),
) -> None:
    """Make the changes of a plan. Asks first. A second run starts nothing twice, and goes on where the first one stopped.

    Exit codes: 0 everything is done, 1 something failed or was refused, 2 usage or input error, 3 something is not finished,
    130 interrupted.

    Example: pci-config remediate run plan.json --role-name pci-operator
    """
    from pci_config import remediating  # noqa: PLC0415 - see above
    from pci_config.remediate.course import Limits  # noqa: PLC0415

    remediating.run(
        plan,
        state,
        only or [],
        remediating.Way(profile, role_name),
        remediating.Files(settings, exceptions),
        Limits(at_once, per_account, max_failures, timeout_minutes * 60),
        yes,
        retry,
        by_config,
        approval,
        output_format,
    )


@remediate_app.command("status")
def status_command(
    plan: PlanArgument,
    offline: Annotated[bool, typer.Option("--offline", help="Ask AWS nothing: only what is recorded.")] = False,
    profile: ProfileOption = None,
    role_name: RoleOption = None,
    state: StateOption = None,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Show a plan's executions: steps, outcome, evidence.

    Exit codes: 0 nothing is open, 1 something failed or was refused, 2 usage or input error, 3 something is not finished.

    Example: pci-config remediate status plan.json --format json
    """
    from pci_config import remediating  # noqa: PLC0415 - see above

    remediating.status(plan, state, remediating.Way(profile, role_name), offline, output_format)


@remediate_app.command("restore")
def restore_command(
    plan: Annotated[Path | None, typer.Argument(help="The plan file: everything it changed.", metavar="[PLAN]")] = None,
    execution_id: Annotated[str | None, typer.Option(help="Only what this execution changed.")] = None,
    account_id: Annotated[str | None, typer.Option(help="Account of the execution, when there is no plan.")] = None,
    region: Annotated[str | None, typer.Option(help="Region of the execution, when there is no plan.")] = None,
    yes: YesOption = False,
    only: OnlyOption = None,
    retry: RetryOption = False,
    at_once: AtOnceOption = 5,
    per_account: PerAccountOption = 2,
    max_failures: FailuresOption = 1,
    timeout_minutes: TimeoutOption = 30,
    profile: ProfileOption = None,
    role_name: RoleOption = None,
    approval: ApprovalOption = "",
    state: StateOption = None,
    output_format: FormatOption = Format.TABLE,
    settings: SettingsOption = Path("rdk.json"),
) -> None:
    """Put back what a plan or an execution changed, the last change first. Asks first.

    Exit codes: as of `run`. What has no document that leads back is named, with the way by hand; then the code is 1.

    Example: pci-config remediate restore plan.json --role-name pci-operator
    """
    from pci_config import remediating  # noqa: PLC0415 - see above
    from pci_config.remediate.course import Limits  # noqa: PLC0415

    remediating.restore(
        plan,
        execution_id,
        (account_id, region),
        state,
        only or [],
        remediating.Way(profile, role_name),
        settings,
        Limits(at_once, per_account, max_failures, timeout_minutes * 60),
        yes,
        retry,
        approval,
        output_format,
    )
