"""`assess --account` against Prowler and Cloud Custodian on the same account: time of the whole process, and peak memory.

The account is a moto server on loopback (benchmarks/compared_account.py says what is in it and what each tool is asked). Every
tool runs in its own virtual environment, one after the other in turns, with one Region, its results written to files, and:
- Prowler: only the checks of these topics, unused resources included (otherwise it skips groups without an interface), CSV only;
- Cloud Custodian: all policies in one run with its cache in memory, so that policies on one type share what was read.

Run: python -m benchmarks.others --install   (virtual environments under build/benchmarks; needs Python 3.11 or 3.12 for Prowler)
or:  python -m benchmarks.others --prowler PATH --custodian PATH
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.core.responses import BaseResponse
from moto.ec2.models.core import TaggedEC2Resource

from benchmarks.compared_account import (
    ACCOUNT,
    BALANCERS,
    BUCKETS,
    CUSTODIAN_POLICIES,
    GROUPS,
    OUR_RULES,
    PROWLER_CHECKS,
    REGION,
    fill,
)
from pci_config.sandbox import services
from pci_config.sandbox.server import MotoServer

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / "build" / "benchmarks"
PINNED = {"prowler": "prowler==5.46.0", "custodian": "c7n==0.9.53"}
PYTHONS = ("python3.12", "python3.11")  # what both of them support
GOALS = {"prowler": 10.0, "custodian": 2.0}
GOAL_MB = 150
Looked = dict[str, int]  # topic -> resources or findings that the tool told of

# Started without site packages: a process's peak counts what its parent held when it was started, so the parent must be small.
MEASURE = """
import json, os, sys, time
start = time.monotonic()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, 1, os.environ["MEASURED_LOG"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    (os.POSIX_SPAWN_DUP2, 1, 2)])
_, status, used = os.wait4(child, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), time.monotonic() - start, used.ru_maxrss, used.ru_utime + used.ru_stime]))
"""
# S3 Control calls <account>.<host>, which no resolver knows for a server on loopback; the same for all three.
RESOLVE = r"""
import re, socket
_own, _host = socket.getaddrinfo, re.compile(r"^[0-9]{12}\.(127\.0\.0\.1)$")
socket.getaddrinfo = lambda host, *a, **k: _own(_host.sub(r"\1", host) if isinstance(host, str) else host, *a, **k)
"""


@dataclass(frozen=True)
class Tool:
    """How a tool is started, the exit codes of a whole run, and how to tell what it looked at."""

    name: str
    command: Callable[[Path], Sequence[str]]
    good: tuple[int, ...]
    looked: Callable[[Path], Looked]


@dataclass(frozen=True)
class Run:
    seconds: float
    megabytes: float
    processor: float
    looked: Looked


def ours(settings: Path) -> Tool:
    def command(out: Path) -> Sequence[str]:
        return (
            sys.executable, "-m", "pci_config.cli", "assess", "--account", "--regions", REGION, "--rules", OUR_RULES,
            "--settings", str(settings), "--format", "json", "--output", str(out / "results.json"),
        )  # fmt: skip

    def looked(out: Path) -> Looked:
        document = json.loads((out / "results.json").read_text("utf-8"))
        counts = document["summary"]["by_compliance"]
        assert not document["summary"]["problems"], document["summary"]["problems"]
        assert not counts["ERROR"] + counts["NOT_ASSESSED"], counts
        assert {"COMPLIANT", "NON_COMPLIANT"} <= {name for name, count in counts.items() if count}, counts
        parts = {"groups": "AWS::EC2::SecurityGroup", "listeners": "AWS::ElasticLoadBalancingV2::Listener"}
        found = {
            topic: len({r["resource_id"] for r in document["results"] if r["resource_type"] == name})
            for topic, name in {**parts, "buckets": "AWS::S3::Bucket"}.items()
        }
        return found | {"trails": sum(r["rule"] == "PCI_TRAIL_DELIVERED" for r in document["results"])}

    return Tool("pci-config", command, (1,), looked)


def prowler(program: Path) -> Tool:
    def command(out: Path) -> Sequence[str]:
        return (
            str(program), "aws", "--region", REGION, "--checks", *PROWLER_CHECKS, "--scan-unused-services", "--no-banner",
            "--output-formats", "csv", "--output-directory", str(out), "--output-filename", "results",
        )  # fmt: skip

    def looked(out: Path) -> Looked:
        with (out / "results.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        of = {"groups": "ec2_securitygroup", "listeners": "elbv2", "buckets": "s3_bucket", "trails": "cloudtrail"}
        counts = {t: len({r["RESOURCE_UID"] for r in rows if r["CHECK_ID"].startswith(start)}) for t, start in of.items()}
        return counts | {"listeners": counts["listeners"] * 2}  # it reports by load balancer

    return Tool("prowler", command, (3,), looked)


def custodian(program: Path, policies: Path) -> Tool:
    def command(out: Path) -> Sequence[str]:
        return (
            str(program), "run", "--region", REGION, "--cache", "memory", "--output-dir", str(out), str(policies)
        )  # fmt: skip

    def looked(out: Path) -> Looked:
        """It writes only what is wrong, which is half."""
        found = {
            policy["name"]: len(json.loads((out / policy["name"] / "resources.json").read_text("utf-8")))
            for policy in CUSTODIAN_POLICIES["policies"]
        }
        assert all(found.values()), found
        assert found["ingress-from-internet"] == found["egress-to-internet"] - VPC_DEFAULTS == GROUPS // 2, found
        assert found["listener-weak-tls"] == found["listener-without-redirect"] == BALANCERS // 2, found
        assert found["bucket-without-lifecycle"] == found["bucket-without-lock"] == BUCKETS // 2, found
        return found

    return Tool("custodian", command, (0,), looked)


VPC_DEFAULTS = 6  # the default groups of five VPCs and of the default VPC, which let everything out


def mend_moto(tags: bool = True) -> None:
    """What moto lacks is refused, not a server error, which AWS's SDK would retry with growing pauses; tags are looked up."""
    own = BaseResponse.call_action

    def call_action(self: BaseResponse) -> Any:
        try:
            return own(self)
        except NotImplementedError as error:
            code = "UnsupportedOperation"
            xml = f"<Response><Errors><Error><Code>{code}</Code><Message>{error}</Message></Error></Errors></Response>"
            return 400, {"x-amzn-errortype": code}, xml

    def get_tags(self: TaggedEC2Resource) -> list[dict[str, str]]:
        """moto searches all tags of the account for each resource, so that a list of 1,000 takes a second: no tool's doing."""
        resource: Any = self
        return [{"key": key, "value": value} for key, value in resource.ec2_backend.tags.get(resource.id, {}).items()]

    BaseResponse.call_action = call_action  # type: ignore[method-assign]
    if tags:
        TaggedEC2Resource.get_tags = get_tags  # type: ignore[method-assign]


def measured(tool: Tool, site: Path) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        out, log = Path(folder) / "out", Path(folder) / "log"
        out.mkdir()
        source = str(ROOT / "src") if tool.name == "pci-config" else ""
        environment = {
            **os.environ,
            "HOME": folder,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(site), source))),
            "MEASURED_LOG": str(log),
            "AWS_DEFAULT_REGION": REGION,
        }
        started = subprocess.run(
            [sys.executable, "-ISc", MEASURE, *tool.command(out)],
            env=environment, cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        code, seconds, kibibytes, processor = json.loads(started.stdout)
        if code not in tool.good:
            raise SystemExit(f"{tool.name} ended with {code}:\n{log.read_text('utf-8', 'replace')[-4000:]}")
        return Run(seconds, kibibytes * 1024 / 1e6, processor, tool.looked(out))


def install(name: str, pythons: Sequence[str] = PYTHONS) -> Path:
    """The tool's program in a virtual environment of its own, made when it is not there."""
    folder = ENVIRONMENTS / name
    program = folder / "bin" / name
    if not program.exists():
        python = next((found for each in pythons if (found := shutil.which(each))), None)
        if python is None:
            raise SystemExit(f"{name} needs one of {', '.join(pythons)}, and none is on the path")
        subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", PINNED[name]], check=True)
        subprocess.run([str(folder / "bin" / "python"), "-m", "compileall", "-q", str(folder / "lib")], check=False)
    return program


def programs(options: argparse.Namespace) -> dict[str, Path]:
    """Where the others are; SystemExit 2 says what is missing."""
    found, missing = {}, []
    for name in PINNED:
        given: Path | None = getattr(options, name)
        path = given or (install(name) if options.install else ENVIRONMENTS / name / "bin" / name)
        found[name] = path.absolute()
        if not path.exists():
            missing.append(f"{name} is not at {path}")
    if missing:
        print("; ".join(missing), file=sys.stderr)
        print(
            "name it with --prowler PATH and --custodian PATH, or let --install make its virtual environment", file=sys.stderr
        )
        raise SystemExit(2)
    return found


def report(runs: dict[str, list[Run]]) -> None:
    own = runs.get("pci-config", [])
    seconds = statistics.median(run.seconds for run in own) if own else 0
    megabytes = max((run.megabytes for run in own), default=0)
    print(f"one account, one Region: {GROUPS} security groups, {2 * BALANCERS} listeners, {BUCKETS} buckets, a trail; medians")
    for name, each in runs.items():
        took = statistics.median(run.seconds for run in each)
        own_work = statistics.median(run.processor for run in each)
        peak = max(run.megabytes for run in each)
        print(f"  {name}: {took:.2f} s ({own_work:.2f} s of it on the processor), {peak:.0f} MB, {len(each)} runs")
        if name in GOALS and own:
            print(
                f"    {took / seconds:.1f} times pci-config's time (goal {GOALS[name]:.0f}), {peak / megabytes:.1f} times its memory"
            )
        print(f"    looked at: {', '.join(f'{count} {topic}' for topic, count in each[0].looked.items())}")
    print(f"  peak memory of pci-config: {megabytes:.0f} MB (goal below {GOAL_MB})")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="make the virtual environments under build/benchmarks")
    parser.add_argument("--prowler", type=Path, help="Prowler's program")
    parser.add_argument("--custodian", type=Path, help="Cloud Custodian's program")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=("pci-config", *PINNED), help="only this tool")
    parser.add_argument(
        "--slow-tags", action="store_true", help="leave moto's search of tags as it is, which grows with the square"
    )
    options = parser.parse_args(arguments)
    found = {} if options.only == "pci-config" else programs(options)
    with tempfile.TemporaryDirectory() as folder, MotoServer() as server:
        services.install(server)
        mend_moto(tags=not options.slow_tags)
        site, settings, policies = (Path(folder) / name for name in ("site", "rdk.json", "policies.json"))
        site.mkdir()
        (site / "sitecustomize.py").write_text(RESOLVE, "utf-8")
        sample = json.loads((ROOT / "rdk.json").read_text("utf-8"))
        archive = sample["LogArchive"]["Account"]
        settings.write_text(json.dumps(sample).replace(archive, ACCOUNT), "utf-8")
        policies.write_text(json.dumps(CUSTODIAN_POLICIES), "utf-8")
        fill()
        tools = [ours(settings)]
        if found:
            tools += [prowler(found["prowler"]), custodian(found["custodian"], policies)]
        tools = [tool for tool in tools if options.only in (None, tool.name)]
        runs: dict[str, list[Run]] = {tool.name: [] for tool in tools}
        for number in range(options.runs + 1):  # the first of each is not counted
            for tool in tools:
                run = measured(tool, site)
                if number or options.runs == 0:
                    runs[tool.name].append(run)
    report(runs)


if __name__ == "__main__":
    main()
