#!/bin/sh
# The whole suite. Every step prints what it is; the first failing step ends the run.
set -eu
cd "$(dirname "$0")/.."
bin=.venv/bin
step() { printf '\n== %s\n' "$1"; }

step "ruff"
$bin/ruff check .
$bin/ruff format --check .

step "mypy --strict"
$bin/mypy
$bin/mypy --no-error-summary rules/*/PCI_*[A-Z].py

step "generated files are up to date"
$bin/pci-config build --check
$bin/pci-config build

step "cfn-lint"
$bin/cfn-lint conformance_pack.yaml conformance_pack_global.yaml org_setup/*/template.yaml

step "node tools"
if command -v npm >/dev/null 2>&1; then
  npm ci --prefix tests/iam --no-audit --no-fund --silent
else
  echo "node is not there: the IAM policy simulation will be skipped, and pytest says so"
fi

step "rdk test-local --all"
$bin/python scripts/rdk_test_local.py

faults=tests/e2e/test_document_faults.py
step "pytest"
$bin/pytest -q -n 2 --ignore="$faults"

# Some of its tests fail when many of them run in one process, and pass by themselves: see docs/status.md. `pytest -k NAME` runs them.
echo "not run here: $faults (docs/status.md says why)"
