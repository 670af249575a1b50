"""`pci-config assess`: its options. The work is in `pci_config.assessing`, imported when the command runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

OK, FINDINGS, USAGE, INCOMPLETE = 0, 1, 2, 3


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"


class FailOn(StrEnum):
    NON_COMPLIANT = "non-compliant"
    ERROR = "error"
    NEVER = "never"


def assess_command(
    snapshots: Annotated[
        list[str] | None,
        typer.Option("--snapshot", help="Config snapshot, history file, item or folder; or s3://bucket/prefix."),
    ] = None,
    account: Annotated[bool, typer.Option("--account", help="Ask the accounts' own APIs.")] = False,
    aggregator: Annotated[str | None, typer.Option(help="Name of a Config aggregator: what it holds of every account.")] = None,
    profile: Annotated[str | None, typer.Option(help="AWS profile for --account and --aggregator.")] = None,
    region: Annotated[str | None, typer.Option(help="Region of the aggregator; default: the home Region of rdk.json.")] = None,
    role_name: Annotated[str | None, typer.Option(help="Role to assume in each account.")] = None,
    accounts: Annotated[str | None, typer.Option(help="Account ids, separated by commas; default: the caller's own.")] = None,
    regions: Annotated[str | None, typer.Option(help="Regions, separated by commas; default: those of rdk.json.")] = None,
    rules: Annotated[str, typer.Option(help="Only rules whose id matches one of these patterns, separated by commas.")] = "*",
    output_format: Annotated[Format, typer.Option("--format", help="How to write the results.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    fail_on: Annotated[FailOn, typer.Option(help="What makes the exit code 1.")] = FailOn.NON_COMPLIANT,
    settings: Annotated[Path, typer.Option(help="The settings file.")] = Path("rdk.json"),
    exceptions: Annotated[Path, typer.Option(help="The register of exceptions.")] = Path("exceptions.yaml"),
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes for --snapshot.")] = 1,
) -> None:
    """Assess a Config snapshot, accounts or a whole organization's aggregator against the rules.

    Exit codes: 0 nothing found, 1 findings, 2 usage or input error, 3 incomplete (something could not be read or judged).

    Example: pci-config assess --snapshot tests/data/ci/AWS_EC2_SecurityGroup.json --format csv --fail-on never

    Example: pci-config assess --aggregator organization --format html --output report.html
    """
    from pci_config import assessing  # noqa: PLC0415 - boto3, pydantic and jinja2 take half a second to import

    source = assessing.Source(
        snapshots=snapshots or [],
        account=account,
        aggregator=aggregator,
        profile=profile,
        region=region,
        role_name=role_name,
        accounts=_listed(accounts),
        regions=_listed(regions),
        jobs=jobs,
    )
    assessing.run(source, rules, output_format, output, fail_on, settings, exceptions)


def _listed(text: str | None) -> list[str]:
    return [entry.strip() for entry in (text or "").split(",") if entry.strip()]
