"""How long `pci-config --version` and `--help` take, beside an interpreter that does nothing, and what they import.

Run: python -m benchmarks.startup
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = 15
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "pci-config --version": ("-m", "pci_config.cli", "--version"),
    "pci-config --help": ("-m", "pci_config.cli", "--help"),
    "pci-config assess --help": ("-m", "pci_config.cli", "assess", "--help"),
}
COUNT = "import sys; from pci_config import cli; print(len(sys.modules))"


def timed(arguments: tuple[str, ...]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True, cwd=ROOT)
    return time.perf_counter() - start


def main() -> None:
    """In turns, so that a busy machine is unkind to all, after one run of each that is not counted."""
    runs = [{name: timed(arguments) for name, arguments in COMMANDS.items()} for _ in range(RUNS + 1)][1:]
    modules = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    print(f"start-up, medians of {RUNS} alternating runs; {modules.strip()} modules are imported before a command runs")
    idle = statistics.median(run["python -c pass"] for run in runs)
    for name in COMMANDS:
        took = statistics.median(run[name] for run in runs)
        print(f"  {name}: {took:.3f} s" + (f", {took - idle:.3f} s more than the interpreter" if took != idle else ""))


if __name__ == "__main__":
    main()
