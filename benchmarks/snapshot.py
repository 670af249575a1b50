"""`assess --snapshot` on a large snapshot against `orjson.loads` of the same file: time on one and two cores, and memory.

Run: python -m benchmarks.snapshot [--items 200000]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "tests" / "data" / "ci"
# Rough shares of a payment platform's inventory in percent; types without a rule are most of it, as in real snapshots.
SHARES = {
    "AWS_EC2_NetworkInterface": 22, "AWS_IAM_Role": 12, "AWS_EC2_Volume": 10, "AWS_EC2_Instance": 9, "AWS_Lambda_Function": 8,
    "AWS_ECS_TaskDefinition": 7, "AWS_CloudWatch_Alarm": 6, "AWS_IAM_Policy": 5, "AWS_EC2_Subnet": 4, "AWS_EC2_SecurityGroup": 4,
    "AWS_S3_Bucket": 3, "AWS_KMS_Key": 3, "AWS_EC2_RouteTable": 2, "AWS_ElasticLoadBalancingV2_Listener": 2,
    "AWS_ElasticLoadBalancingV2_LoadBalancer": 1, "AWS_SNS_Topic": 1, "AWS_RDS_DBInstance": 1,
}  # fmt: skip
RUNS = 5

LOADS = """
import resource, sys, time
import orjson
data = open(sys.argv[1], "rb").read()
start, used = time.perf_counter(), time.process_time()
found = orjson.loads(data)
print(time.perf_counter() - start, time.process_time() - used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(found["configurationItems"]))
"""
ASSESS = """
import resource, sys, time
from pathlib import Path
from pci_config.assess import Judge, assess_snapshot
from pci_config.catalogue import Catalogue, project_root
from pci_config.rdk_json import RdkJson
from pci_config.sources.snapshot import read
judge = Judge(list(Catalogue.load().rules.values()), RdkJson.load(project_root() / "rdk.json").settings)
start, used = time.perf_counter(), time.process_time()
jobs = int(sys.argv[2])
found = read([sys.argv[1]], judge.needed_types, jobs)
results, problems = assess_snapshot(judge, found, jobs)
took, used = time.perf_counter() - start, time.process_time() - used
print(took, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(results))
assert not problems, problems[:3]
"""


def generate(path: Path, count: int) -> None:
    """The same file for the same count: ids are numbered, accounts and Regions drawn from a fixed seed."""
    draw = random.Random(7)  # noqa: S311 - no secret, and the same every time
    samples = {name: json.loads((SAMPLES / f"{name}.json").read_text("utf-8")) for name in SHARES}
    names = draw.choices(list(SHARES), weights=list(SHARES.values()), k=count)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"fileVersion":"1.0","configSnapshotId":"benchmark","configurationItems":[')
        for number, name in enumerate(names):
            item = samples[name]
            item["resourceId"] = f"{item['resourceId'].split('#')[0]}#{number}"
            item["awsAccountId"] = str(100000000000 + draw.randrange(20))
            item["awsRegion"] = draw.choice(("eu-west-1", "us-east-1"))
            file.write(("," if number else "") + json.dumps(item, separators=(",", ":")))
        file.write("]}")


def measured(script: str, *arguments: str) -> tuple[float, float, int, int]:
    """Seconds, seconds of processor time of the process itself, peak memory in KiB, and what was counted."""
    run = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    if run.returncode:
        raise SystemExit(run.stderr)
    seconds, processor, kibibytes, count = run.stdout.split()
    return float(seconds), float(processor), int(kibibytes), int(count)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=200_000)
    items = parser.parse_args(arguments).items
    with tempfile.TemporaryDirectory() as folder:  # just written: every run finds the file in the page cache
        path = Path(folder) / "snapshot.json"
        generate(path, items)
        size = path.stat().st_size
        runs = [
            (measured(LOADS, str(path)), measured(ASSESS, str(path), "1"), measured(ASSESS, str(path), "2"))
            for _ in range(RUNS)
        ]
    loads, one, two = (statistics.median(run[position][0] for run in runs) for position in range(3))
    processor = statistics.median(run[1][1] / run[0][1] for run in runs)
    print(f"snapshot of {items} items, {size / 1e6:.0f} MB, {runs[0][1][3]} verdicts; medians of {RUNS} alternating runs")
    print(
        f"  orjson.loads {loads:.2f} s; assess, one job {one:.2f} s: ratio {one / loads:.2f}, of processor time {processor:.2f}"
    )
    print(f"  assess, two jobs {two:.2f} s: {one / two:.2f} times as fast as one")
    for name, position in (("orjson.loads", 0), ("assess", 1)):
        peak = max(run[position][2] for run in runs) * 1024
        print(f"  peak memory of {name}: {peak / 1e6:.0f} MB, {peak / size:.2f} times the file")


if __name__ == "__main__":
    main()
