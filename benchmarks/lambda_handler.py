"""Our Lambda handler against a plain rdklib rule: cold start (import and first event) and warm events.

Both judge the same change event with the same trivial decision, and every AWS call of both is answered in the process by the
same stub without network, so what is measured is the handler. Run: python -m benchmarks.lambda_handler
"""

from __future__ import annotations

import compileall
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EVENT = ROOT / "tests" / "data" / "ci" / "events" / "change.json"
COLD_RUNS = 9
WARM_EVENTS = 300

STUB = """
import time
started = time.perf_counter()
import json, os, sys
os.environ.update(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="eu-west-1")
sys.stdout, real = open(os.devnull, "w"), sys.stdout

def stub():
    from botocore.awsrequest import AWSResponse
    from botocore.httpsession import URLLib3Session
    class Raw:
        def __init__(self, body): self.body = body
        def stream(self, **_): yield self.body
    sts = b'<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken><Expiration>2036-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>'
    def send(self, request):
        body = sts if "sts" in request.url else b'{"FailedEvaluations": []}'
        return AWSResponse(request.url, 200, {}, Raw(body))
    URLLib3Session.send = send

event = json.load(open(sys.argv[1]))
event["ruleParameters"] = "{}"
"""

OURS = """
from pci_config import evaluator
from pci_config.rule import PciRule, compliant
class PciBench(PciRule):
    resource_types = ("AWS::EC2::SecurityGroup",)
    def decide(self, item, parameters, facts):
        return compliant("fine")
rule = PciBench
handle = lambda: evaluator.handle(rule, event, None)
"""

THEIRS = """
from rdklib import ComplianceType, ConfigRule, Evaluation, Evaluator
class Bench(ConfigRule):
    def evaluate_change(self, event, client_factory, configuration_item, valid_rule_parameters):
        return [Evaluation(ComplianceType.COMPLIANT, annotation="fine")]
handle = lambda: Evaluator(Bench(), ["AWS::EC2::SecurityGroup"]).handle(event, None)
"""

MEASURE = """
stub()
handle()
cold = time.perf_counter() - started
times = []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    handle()
    times.append(time.perf_counter() - start)
times.sort()
real.write(json.dumps({"cold": cold, "warm": times[len(times) // 2]}))
"""


def measured(kind: str) -> dict[str, float]:
    script = STUB + (OURS if kind == "ours" else THEIRS) + MEASURE
    run = subprocess.run(
        [sys.executable, "-c", script, str(EVENT), str(WARM_EVENTS)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    result: dict[str, float] = json.loads(run.stdout)
    return result


def main() -> None:
    """Alternate the two so that a busy machine is unkind to both, and print medians and ratios."""
    compileall.compile_dir(ROOT / "src" / "pci_config", quiet=1)  # rdklib was compiled when it was installed
    runs = [(measured("ours"), measured("theirs")) for _ in range(COLD_RUNS)]
    print(f"Lambda handler, {COLD_RUNS} processes each, {WARM_EVENTS} warm events a process, medians")
    for figure in ("cold", "warm"):
        ours = statistics.median(run[0][figure] for run in runs)
        theirs = statistics.median(run[1][figure] for run in runs)
        print(
            f"  {figure}: pci-config {ours * 1000:.2f} ms, plain rdklib {theirs * 1000:.2f} ms,"
            f" ratio rdklib/pci-config {theirs / ours:.2f}"
        )


if __name__ == "__main__":
    main()
