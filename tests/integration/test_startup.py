"""A command imports what it needs when it runs: `--version` and the like must not wait for boto3, moto and pydantic."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("boto3", "botocore", "jinja2", "moto", "msgspec", "pydantic", "rdklib", "rich", "yaml")
SCRIPT = """
import sys
from pci_config.cli import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    print(*sorted(sys.modules), sep="\\n", file=sys.stderr)
    sys.exit(end.code)
"""


def imported(*arguments: str) -> tuple[int, set[str]]:
    run = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=False)
    return run.returncode, set(run.stderr.splitlines())


def test_the_version_needs_nothing_heavy() -> None:
    code, modules = imported("--version")
    assert code == 0
    assert "pci_config.cli" in modules
    assert [name for name in HEAVY if name in modules] == []


@pytest.mark.parametrize("arguments", [("--help",), ("assess", "--help"), ("build", "--help"), ("demo", "--help")])
def test_help_needs_nothing_heavy_but_what_typer_lays_it_out_with(arguments: tuple[str, ...]) -> None:
    code, modules = imported(*arguments)
    assert code == 0
    assert [name for name in HEAVY if name in modules and name not in ("rich", "pydantic")] == []


def test_a_command_that_runs_imports_what_it_needs() -> None:
    code, modules = imported("assess")
    assert code == 2, "no source was named"
    assert {"boto3", "pydantic", "pci_config.assess"} <= modules
