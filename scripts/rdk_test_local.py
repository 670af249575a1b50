"""Runs `rdk test-local --all` and refuses its silent successes.

rdk exits 0 when a rule has no tests, only pytest-style tests, no test file or an unknown runtime. So the tests that ran are
counted per rule here, and a rule without any fails the run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

RULES = Path(__file__).resolve().parents[1] / "rules"


def main() -> int:
    folders = sorted(path.parent.name for path in RULES.glob("*/parameters.json"))
    environment = os.environ | {"AWS_DEFAULT_REGION": "eu-west-1", "PYTHONDONTWRITEBYTECODE": "1"}
    rdk = Path(sys.executable).parent / "rdk"
    failures = []
    for rule in folders:
        run = subprocess.run(  # noqa: S603 - our own tool and folder names
            [str(rdk), "--region", "eu-west-1", "test-local", rule],
            cwd=RULES,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        output = run.stdout + run.stderr
        counts = [int(number) for number in re.findall(r"^Ran (\d+) tests? in", output, re.MULTILINE)]
        ran = sum(counts)
        if run.returncode or not ran:
            failures.append(rule)
            print(output)
        print(f"{rule}: {ran} tests, exit {run.returncode}" + ("" if ran else ": a rule must have unittest tests"))
    print(f"{len(folders) - len(failures)} of {len(folders)} rules pass rdk test-local")
    return 1 if failures or not folders else 0


if __name__ == "__main__":
    sys.exit(main())
