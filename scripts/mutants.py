"""Mutation testing of the rules and of the pure modules that they are built from: `make mutants`.

    .venv/bin/python scripts/mutants.py [--sample N] [--resume] [MODULE...]

Each module's own tests are collected once; then every mutant is a fork of that process in which one function has its mutated
code. Writes docs/mutation.md, with the reasons of tests/mutants.yaml beside the mutants that survive.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import re
import signal
import sys
import time
import unittest
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from types import CodeType, FunctionType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, RULES = ROOT / "src" / "pci_config", ROOT / "rules"
GENERATOR = ROOT / ".venv-mutants" / "bin" / "python"
RESULTS, PAGE, REASONS = ROOT / "build" / "mutants", ROOT / "docs" / "mutation.md", ROOT / "tests" / "mutants.yaml"
BAR = 90
IMPORTED = re.compile(r"^(?:from pci_config\.(\w+) import|import pci_config\.(\w+)|from pci_config import (\w+))", re.M)
# the frame in which rules run and what only asks AWS: their tests are those of the whole package
FRAME = {"rule", "settings", "evaluator", "items", "sandbox", "collect", "catalogue", "assess", "iam_credentials"}
# pure modules that no rule imports, but the register of exceptions or the build does
ALSO = ("exceptions", "exceptions_use", "recording_needs", "resource_pattern")
KILLED, SURVIVED, TIMED_OUT, NOT_RUN = "killed", "survived", "timed out", "not run"


class Forks:
    """A pytest plugin: the tests are collected, and run once for every mutant."""

    def __init__(self, path: Path, mutants: list[dict[str, Any]]) -> None:
        self.path, self.mutants, self.outcomes = path, mutants, list[str]()
        self.seconds: Counter[str] = Counter()
        self.callers: dict[str, list[str]] = {}  # the tests that run each function
        self.failed, self.mutant = "", None

    def pytest_collection(self) -> None:
        from hypothesis import settings  # noqa: PLC0415 - pytest has to import it first

        settings.register_profile("mutants", derandomize=True, database=None, deadline=None)
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed or not session.items:
            raise SystemExit(f"{self.path}: its tests cannot be collected")
        started = time.monotonic()
        if self._forked(session, None, 600) != SURVIVED:
            raise SystemExit(f"{self.path}: its tests fail without any mutant: {self.failed}")
        self.functions = [held for held in gc.get_objects() if isinstance(held, FunctionType) and _of(held, self.path)]
        gc.freeze()  # a fork then copies less
        gc.disable()
        limit = 20 + 5 * int(time.monotonic() - started)
        session.items.sort(key=lambda item: self.seconds[item.nodeid])
        self.items = {item.nodeid: item for item in session.items}
        self.outcomes = [self._forked(session, mutant, limit) for mutant in self.mutants]
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """The first failure kills the mutant, and needs no account of itself."""
        if self.mutant and call.excinfo and not call.excinfo.errisinstance((pytest.skip.Exception, unittest.SkipTest)):
            os._exit(1)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._tell({"failed": f"{report.nodeid}: {report.longreprtext[-300:]}"})
            os._exit(1)
        self.seconds[report.nodeid] += report.duration

    def _forked(self, session: pytest.Session, mutant: dict[str, Any] | None, limit: int) -> str:
        sys.stdout.flush()
        self.told, self.teller = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(limit)  # ends the child if it loops
            try:
                self._run(session, mutant)
            except BaseException:  # noqa: BLE001 - a mutant may raise anything
                os._exit(1)
            os._exit(0)
        os.close(self.teller)
        with os.fdopen(self.told) as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        if mutant is None and told:
            answer = json.loads(told)
            self.failed, self.seconds = answer.get("failed", ""), Counter(answer.get("seconds", {}))
            self.callers = answer.get("callers", {})
        if os.WIFSIGNALED(status):
            return TIMED_OUT if os.WTERMSIG(status) == signal.SIGALRM else KILLED
        return (SURVIVED, KILLED, NOT_RUN)[os.WEXITSTATUS(status)]

    def _run(self, session: pytest.Session, mutant: dict[str, Any] | None) -> None:
        os.close(self.told)
        items, self.mutant = session.items, mutant
        if mutant:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            changed = replace(self.path, self.functions, mutant["code"])
            if not changed:
                os._exit(2)
            items = [item for item in items if any(item.nodeid in self.callers.get(name, ()) for name in changed)]
        else:
            watched = self._watch()
        for place, item in enumerate(items):
            following = items[place + 1] if place + 1 < len(items) else None
            self.now = item.nodeid
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if not mutant:
            self._tell({"seconds": self.seconds, "callers": {name: sorted(tests) for name, tests in watched.items()}})

    def _watch(self) -> dict[str, set[str]]:
        """Which tests run which function; one inside a function counts as that function."""
        callers: dict[str, set[str]] = {}
        monitoring = sys.monitoring

        def started(code: CodeType, _: int) -> None:
            if code.co_filename == str(self.path):
                callers.setdefault(code.co_qualname.split(".<locals>")[0], set()).add(self.now)

        monitoring.use_tool_id(monitoring.PROFILER_ID, "mutants")
        monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.PY_START, started)
        monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.PY_START)
        return callers

    def _tell(self, answer: dict[str, Any]) -> None:
        os.write(self.teller, json.dumps(answer).encode())


def replace(path: Path, functions: list[FunctionType], mutated: str) -> set[str]:
    """Every function of the module that differs gets the code of its mutant, wherever the function is held by now."""
    old = dict(_functions(compile(path.read_text("utf-8"), str(path), "exec")))
    new = dict(_functions(compile(mutated, str(path), "exec")))
    changed = {name for name in old if old[name] != new[name]}
    concerned = [function for function in functions if function.__code__.co_qualname in changed]
    for function in concerned:
        function.__code__ = new[function.__code__.co_qualname]
    return {function.__code__.co_qualname for function in concerned}


def _of(function: FunctionType, path: Path) -> bool:
    return function.__code__.co_filename == str(path)


def _functions(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """Those that exist once the module is imported: not the ones inside functions, which are part of their code."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & 0x2:  # CO_NEWLOCALS: a function; the body of a class has no such flag
                yield constant.co_qualname, constant
            else:
                yield from _functions(constant)


def imports(path: Path) -> set[str]:
    return {name for groups in IMPORTED.findall(path.read_text("utf-8")) for name in groups if name}


def modules() -> dict[str, Path]:
    """The rules, and the pure modules that they import, directly or through one another."""
    rules = {path.parent.name: path for path in sorted(RULES.glob("PCI_*/PCI_*.py")) if path.stem == path.parent.name}
    waiting, pure = set(ALSO).union(*(imports(path) for path in rules.values())), set[str]()
    while waiting := {name for name in waiting - pure - FRAME if _pure(name)}:
        pure |= waiting
        waiting = set().union(*(imports(PACKAGE / f"{name}.py") for name in waiting))
    return rules | {name: PACKAGE / f"{name}.py" for name in sorted(pure)}


def _pure(name: str) -> bool:
    return (PACKAGE / f"{name}.py").exists() and not name.endswith("_facts")


def tests_of(name: str, path: Path) -> list[Path]:
    """A rule's own; of a module its unit tests, and those of the rules and properties that import it."""
    if path.is_relative_to(RULES):
        return [path.with_name(f"{name}_test.py")]
    unit = ROOT / "tests" / "unit" / f"test_{name}.py"
    rules = {p.parent for p in RULES.glob("PCI_*/*.py") if name in imports(p)}
    users = {user for user in PACKAGE.glob("*.py") if name in imports(user) and user.stem not in FRAME}
    if not rules and not unit.exists():  # one used only by modules is tested through them
        rules = {p.parent for p in RULES.glob("PCI_*/*.py") if {user.stem for user in users} & imports(p)}
    properties = [p for p in sorted((ROOT / "tests" / "property").glob("test_*.py")) if name in imports(p)]
    units = [p for p in sorted((ROOT / "tests" / "unit").glob("test_*.py")) if p != unit and name in imports(p)]
    return [*([unit] if unit.exists() else []), *units, *(rule / f"{rule.name}_test.py" for rule in sorted(rules)), *properties]


def tested(path: Path, tests: list[Path], mutants: list[dict[str, Any]], into: Path) -> None:
    """In a process of its own: runs the mutants and writes their outcomes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    forks = Forks(path, mutants)
    options = ["-q", "-x", "-s", "-p", "no:cacheprovider", f"--basetemp={RESULTS / 'tmp'}"]
    pytest.main([*options, *map(str, tests)], plugins=[forks])
    if len(forks.outcomes) == len(mutants):
        into.write_text(json.dumps([{**m, "code": "", "outcome": o} for m, o in zip(mutants, forks.outcomes, strict=True)]))


def listed(sample: int, path: Path) -> dict[str, Any]:
    command = [str(GENERATOR), str(ROOT / "scripts" / "mutants_of.py"), str(sample), str(path)]
    found = run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own script
    return json.loads(found.stdout)  # type: ignore[no-any-return]


def tried(name: str, path: Path, sample: int, resume: bool) -> dict[str, Any]:
    """The module's mutants with their outcomes; raises where its tests cannot be run."""
    tests = tests_of(name, path)
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in (path, *tests)) + f"{sample}".encode()).hexdigest()
    kept = RESULTS / f"{name}.json"
    if resume and kept.exists() and (known := json.loads(kept.read_text("utf-8")))["digest"] == digest:
        return known  # type: ignore[no-any-return]
    found, outcomes = listed(sample, path), RESULTS / "outcomes"
    outcomes.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        tested(path, tests, found["mutants"], outcomes)
        os._exit(0)
    os.waitpid(child, 0)
    if not outcomes.exists():
        raise SystemExit(f"{name}: could not be tested")
    mutants = [mutant for mutant in json.loads(outcomes.read_text("utf-8")) if mutant["outcome"] != NOT_RUN]
    result = {"digest": digest, "possible": found["possible"], "path": str(path.relative_to(ROOT)), "mutants": mutants}
    kept.write_text(json.dumps(result, indent=1), "utf-8")
    return result


def reasons() -> dict[tuple[str, str, str], str]:
    """Why a mutant may survive, by module and change."""
    written = yaml.safe_load(REASONS.read_text("utf-8"))
    return {(name, entry["before"], entry["after"]): entry["why"] for name in written for entry in written[name]}


def page(results: dict[str, dict[str, Any]], sample: int, why: dict[tuple[str, str, str], str]) -> str:
    """docs/mutation.md."""
    rows, survivors = [], list[str]()
    total = killed = possible = 0
    low = []
    for name, result in results.items():
        alive = [mutant for mutant in result["mutants"] if mutant["outcome"] == SURVIVED]
        count = len(result["mutants"])
        dead = count - len(alive)
        total, killed, possible = total + count, killed + dead, possible + result["possible"]
        rows.append(f"| {name} | {result['possible']} | {count} | {dead} | {len(alive)} | {_percent(dead, count)} |")
        if dead * 100 < BAR * count:
            low.append(name)
        if alive:
            survivors += ["", f"### {name}", "", f"`{result['path']}`", ""]
        for mutant in alive:
            reason = why.get((name, mutant["before"], mutant["after"]), "**no reason given yet**")
            survivors += [f"- line {mutant['line']}: {reason}", "", *_diff(mutant), ""]
    drawn = f"at most {sample} of them, drawn by hash, so that every run takes the same" if sample else "all of them"
    below = f"Below {BAR} %: {', '.join(low)}." if low else f"No module is below {BAR} %."
    return (
        "\n".join(
            [
                "<!-- Generated by `make mutants`; the reasons are in tests/mutants.yaml. -->",
                "# Mutation testing",
                "",
                f"**{killed} of {total} mutants killed: {_percent(killed, total)}.** {below}",
                "",
                "What is mutated: the functions of every rule and of the pure modules that rules, exceptions and the recorder's needs are",
                "built from. The operators are mutmut's: comparisons, conditions, numbers, names and keys, arguments, assignments, branches.",
                f"Of the {possible} mutants possible, {drawn}. Not mutated: annotations, docstrings, decorators, tables at the level of the",
                "module or class, and the wording of a text with blanks (that it is there at all is). A call that lacks a positional",
                "argument is not counted, because it fails in any test. What runs against a mutant: a rule's own tests; of a module its",
                "unit tests and the tests of the rules and properties that import it. A mutant that loops counts as killed.",
                "",
                "| module | possible | tried | killed | survived | rate |",
                "|---|--:|--:|--:|--:|--:|",
                *rows,
                "",
                "## Survivors",
                *survivors,
            ]
        ).rstrip()
        + "\n"
    )


def _percent(part: int, whole: int) -> str:
    return f"{part * 1000 // whole / 10:.1f} %" if whole else "none"


def _diff(mutant: dict[str, Any]) -> list[str]:
    return ["  ```diff", f"  - {mutant['before']}", f"  + {mutant['after']}", "  ```"]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("module", nargs="*", help="only these; nothing is written then")
    options.add_argument("--sample", type=int, default=60, help="mutants of each module; 0 is all of them")
    options.add_argument("--resume", action="store_true", help="keep the outcomes of modules that did not change since")
    asked = options.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    results, why, unexplained = {}, reasons(), 0
    for name, path in modules().items():
        if asked.module and name not in asked.module:
            continue
        started = time.monotonic()
        result = results[name] = tried(name, path, asked.sample, asked.resume)
        alive = [mutant for mutant in result["mutants"] if mutant["outcome"] == SURVIVED]
        count, seconds = len(result["mutants"]), time.monotonic() - started
        print(f"{name}: {count - len(alive)} of {count} killed ({seconds:.0f} s)", flush=True)
        for mutant in alive:
            if (name, mutant["before"], mutant["after"]) not in why:
                unexplained += 1
                print(f"    {mutant['line']}: {mutant['before']}\n      -> {mutant['after']}", flush=True)
    if not asked.module:
        PAGE.write_text(page(results, asked.sample, why), "utf-8")
    mutants = [mutant["outcome"] for result in results.values() for mutant in result["mutants"]]
    enough = mutants.count(SURVIVED) * 100 <= (100 - BAR) * len(mutants)
    print(f"{len(mutants) - mutants.count(SURVIVED)} of {len(mutants)} killed; survivors without a reason: {unexplained}")
    return 0 if enough and not unexplained else 1


if __name__ == "__main__":
    sys.exit(main())
