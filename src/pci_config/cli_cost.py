"""`pci-config cost`: options, and how the estimate is told. The work is in `deploy/cost.py`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from pci_config.deploy.cost import Estimate, Resources
    from pci_config.rdk_json import RdkJson

USAGE = 2
SHOWN_RULES = 10


class CostFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


def cost_command(
    settings: Annotated[Path, typer.Option(help="The settings file.")] = Path("rdk.json"),
    aggregator: Annotated[str | None, typer.Option(help="Count what this aggregator holds.")] = None,
    results: Annotated[Path | None, typer.Option(help="Count what a results document (assess --format json) names.")] = None,
    snapshots: Annotated[
        list[str] | None,
        typer.Option("--snapshot", help="Count what Config snapshots hold: file, folder or s3://bucket/prefix."),
    ] = None,
    counts: Annotated[
        list[str] | None, typer.Option("--count", help="TYPE=NUMBER in each Region, or REGION:TYPE=NUMBER, over all accounts.")
    ] = None,
    accounts: Annotated[int | None, typer.Option(min=1, help="Number of accounts; default: as counted or in rdk.json.")] = None,
    changes: Annotated[float | None, typer.Option(min=0, help="Changes of each resource in a month.")] = None,
    prices: Annotated[Path | None, typer.Option(help="YAML of own prices and assumptions.")] = None,
    profile: Annotated[str | None, typer.Option(help="AWS profile for --aggregator.")] = None,
    output_format: Annotated[CostFormat, typer.Option("--format", help="How to write it.")] = CostFormat.TABLE,
) -> None:
    """Estimate what a month of checking costs, with everything that the sum rests on.

    Exit codes: 0 estimated, 2 usage, settings or counts that cannot be had.

    Example: pci-config cost --count AWS::EC2::SecurityGroup=200 --count AWS::S3::Bucket=80 --accounts 8
    """
    from pci_config.catalogue import Catalogue, CatalogueError  # noqa: PLC0415 - so that other commands start quickly
    from pci_config.deploy.cost import Resources, estimate, rule_loads  # noqa: PLC0415
    from pci_config.deploy.prices import PricesError, load_prices  # noqa: PLC0415
    from pci_config.rdk_json import RdkJson, SettingsError  # noqa: PLC0415
    from pci_config.recording_needs import needs  # noqa: PLC0415

    if sum(map(bool, (aggregator, results, snapshots))) > 1:
        _refuse("name one source: --aggregator, --results or --snapshot; --count goes with each")
    try:
        rdk_json = RdkJson.load(settings)
        reckoned = load_prices(prices, changes)
        catalogue = Catalogue.load()
    except (SettingsError, PricesError, CatalogueError) as error:
        _refuse(str(error))
    read = _resources(rdk_json, aggregator, results, snapshots or [], counts or [], profile)
    known = {account for ids in rdk_json.settings.accounts.values() for account in ids}
    there = Resources(read.counts, accounts or max(read.accounts, len(known)), read.source)
    home, regions = rdk_json.settings.home_region, rdk_json.settings.regions
    created = rdk_json.model.deployment.recorder == "create"
    found = estimate(rule_loads(catalogue, reckoned), there, regions, home, reckoned, needs(catalogue), created)
    if output_format is CostFormat.JSON:
        typer.echo(json.dumps(found.document(), indent=2, ensure_ascii=False))
    else:
        _tell(found)


def _resources(
    rdk_json: RdkJson,
    aggregator: str | None,
    results: Path | None,
    snapshots: list[str],
    counts: list[str],
    profile: str | None,
) -> Resources:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above

    from pci_config.deploy import cost_reading  # noqa: PLC0415
    from pci_config.sources.snapshot import SourceError  # noqa: PLC0415

    home, regions = rdk_json.settings.home_region, rdk_json.settings.regions
    read: Resources | None = None
    try:
        told = cost_reading.as_told(counts, regions, home) if counts else None
        if results:
            read = cost_reading.from_results(results, regions, home)
        elif snapshots:
            read, problems = cost_reading.from_snapshots(snapshots, regions, home)
            for problem in problems:
                typer.echo(f"not read: {problem}", err=True)
        elif aggregator:
            import boto3  # noqa: PLC0415 - takes a moment to import

            from pci_config.sources.account import SessionClients  # noqa: PLC0415

            clients = SessionClients(boto3.Session(profile_name=profile, region_name=home), home)
            read = cost_reading.from_aggregator(clients, aggregator, regions, home)
    except (cost_reading.CountsError, SourceError) as error:
        _refuse(str(error))
    except (ClientError, BotoCoreError) as error:
        _refuse(f"AWS: {error}")
    both = cost_reading.together(read, told)
    if both is None:
        _refuse("resources are not known: name --aggregator, --results or --snapshot, or tell them with --count TYPE=NUMBER")
    return both


def _tell(found: Estimate) -> None:
    from rich import box  # noqa: PLC0415 - see above
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console, currency = Console(highlight=False), found.prices.currency
    table = Table("a month", "number", currency, box=box.SIMPLE_HEAD)
    for region, number in found.evaluations.items():
        table.add_row(f"rule evaluations in {region}", f"{number:,.0f}", f"{found.prices.of_evaluations(number):,.2f}")
    calls = sum(line.invocations for line in found.lines)
    costs = found.costs()
    table.add_row("calls of the function", f"{calls:,.0f}", f"{costs['Lambda']:,.2f}")
    table.add_row("configuration items of compliance", f"{found.compliance_items:,.0f}", f"{costs['compliance items']:,.2f}")
    if found.recording_added:
        table.add_row("configuration items of needed types", f"{found.recorded_items:,.0f}", f"{found.recording:,.2f}")
    table.add_row("sum", "", f"{found.monthly:,.2f}", style="bold")
    console.print(table)
    if not found.recording_added:
        console.print(f"Recording of the needed types, paid already: {found.recording:,.2f} {currency} a month")
    console.print(f"Once, at the first deployment, which evaluates everything: {found.once:,.2f} {currency}")
    by_rule: dict[str, float] = {}
    for line in found.lines:
        by_rule[line.rule] = by_rule.get(line.rule, 0) + line.evaluations
    rules = Table("rules with the most evaluations", "a month", box=box.SIMPLE_HEAD)
    for rule, number in sorted(by_rule.items(), key=lambda entry: (-entry[1], entry[0]))[:SHOWN_RULES]:
        rules.add_row(rule, f"{number:,.0f}")
    console.print(rules)
    console.print("This rests on:")
    for assumption in found.assumptions:
        console.print(f"  - {assumption}", markup=False)


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(USAGE)
