"""The command `pci-config`: names and options. What a command does is imported when it runs, so that it starts at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pci_config import __version__
from pci_config.cli_assess import assess_command
from pci_config.cli_cost import cost_command
from pci_config.cli_deploy import add_commands
from pci_config.cli_exceptions import exceptions_app
from pci_config.cli_init import init_command
from pci_config.cli_preflight import preflight_command
from pci_config.cli_remediate import remediate_app
from pci_config.cli_rules import rules_app

USAGE_ERROR = 2

app = typer.Typer(
    help="Keeps an AWS organization compliant with PCI DSS continuously, and proves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init_command)
app.command("preflight")(preflight_command)
app.command("cost")(cost_command)
app.command("assess")(assess_command)
add_commands(app)
app.add_typer(rules_app, name="rules")
app.add_typer(exceptions_app, name="exceptions")
app.add_typer(remediate_app, name="remediate")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"pci-config {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Keeps an AWS organization compliant with PCI DSS continuously, and proves it."""


@app.command("build")
def build_command(
    settings: Annotated[Path, typer.Option(help="The settings file.")] = Path("rdk.json"),
    exceptions: Annotated[
        Path | None, typer.Option(help="The register of exceptions; default: exceptions.yaml beside the settings file.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a generated file is out of date.")] = False,
) -> None:
    """Generate packs, templates, documents and the bundle from rules/, remediation/, rdk.json and exceptions.yaml.

    Example: pci-config build --check
    """
    from pci_config import build  # noqa: PLC0415 - see above
    from pci_config.catalogue import Catalogue, CatalogueError, project_root  # noqa: PLC0415
    from pci_config.exceptions_file import ExceptionsError, Known, load_register  # noqa: PLC0415
    from pci_config.rdk_json import RdkJson, SettingsError  # noqa: PLC0415
    from pci_config.rule import ParameterError  # noqa: PLC0415

    root = project_root()
    try:
        rdk_json = RdkJson.load(settings)
        catalogue = Catalogue.load(root)
        register = load_register(exceptions or settings.with_name("exceptions.yaml"), Known.of(catalogue, rdk_json))
        artefacts = build.generate(root, catalogue, rdk_json, register)
    except (SettingsError, ExceptionsError, CatalogueError, ParameterError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(USAGE_ERROR) from None
    for warning in rdk_json.warnings():
        typer.echo(f"warning: {warning}", err=True)
    if check:
        outdated = build.drift(root, artefacts)
        for path in outdated:
            typer.echo(f"{path}: out of date; run `pci-config build`", err=True)
        raise typer.Exit(1 if outdated else 0)
    changed, digest = build.write(root, artefacts, catalogue, rdk_json, register)
    for path in changed:
        typer.echo(f"wrote {path}")
    typer.echo(f"{len(artefacts.documents)} documents in build/documents; bundle {build.BUNDLE} (sha256 {digest[:16]}…)")


@app.command("demo")
def demo_command(
    keep_server: Annotated[bool, typer.Option("--keep-server", help="Leave the sandbox running until Ctrl-C.")] = False,
    output: Annotated[Path, typer.Option(help="Folder for the report and the results.")] = Path("build/demo"),
) -> None:
    """Build a sample card issuer in the sandbox, assess it, fix what can be fixed, assess it again.

    Example: pci-config demo --keep-server
    """
    from pci_config.catalogue import project_root  # noqa: PLC0415 - see above
    from pci_config.sandbox.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(project_root(), output, keep_server=keep_server))


if __name__ == "__main__":
    app()
