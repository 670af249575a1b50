"""`pci-config demo`: the whole loop on the sample card issuer, with the artefacts that a user deploys."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pci_config import build
from pci_config.assess import Assessment, Judge, Result, timestamp
from pci_config.catalogue import Catalogue, RuleEntry
from pci_config.exceptions import ACCEPTED, ExceptionRegister
from pci_config.exceptions_file import Known, load_register
from pci_config.exceptions_use import entries_of_assessment
from pci_config.rdk_json import RdkJson
from pci_config.report import html
from pci_config.report.json_report import render_json
from pci_config.sandbox import config_service
from pci_config.sandbox.demo_exceptions import write_register
from pci_config.sandbox.deployment import deploy
from pci_config.sandbox.organization import Issuer, build_issuer
from pci_config.sandbox.recorder import Recorder
from pci_config.sandbox.runtime import BundleRuntime
from pci_config.sandbox.server import MotoServer
from pci_config.sandbox.triggering import Tally, Trigger

Step = Callable[[str], None]
OUTCOMES = ("fixed", "needs a human", "failed")


@dataclass
class Round:
    """Results of one recording and triggering of everything."""

    assessment: Assessment
    tally: Tally = field(default_factory=Tally)


class Demo:
    """The sample issuer in a running sandbox, with everything deployed.

    What is deployed is generated into `artefacts`: with the issuer's own exceptions, beside the project's checked-in files.
    """

    def __init__(self, server: MotoServer, root: Path) -> None:
        self.server, self.root, self.artefacts = server, root, root / "build" / "sandbox"
        self.exceptions = ExceptionRegister()
        self.rdk_json = RdkJson.load(root / "rdk.json")
        self.catalogue = Catalogue.load(root)
        self.issuer: Issuer | None = None
        self._recorders: dict[tuple[str, str], Recorder] = defaultdict(
            lambda: Recorder(home_region=self.rdk_json.settings.home_region)
        )

    @property
    def places(self) -> list[tuple[str, str]]:
        """Every account and Region."""
        settings = self.rdk_json.settings
        return [(account, region) for ids in settings.accounts.values() for account in ids for region in settings.regions]

    def set_up(self, step: Step) -> None:
        """Build the issuer and deploy roles, function, documents and packs into every account."""
        self.issuer = build_issuer(self.server, self.rdk_json, lambda what: step(f"building {what}"))
        register = self.artefacts / "exceptions.yaml"
        write_register(register, self.issuer, self.rdk_json.settings.home_region, datetime.now(UTC).date())
        self.exceptions = load_register(register, Known.of(self.catalogue, self.rdk_json))
        artefacts = build.generate(self.root, self.catalogue, self.rdk_json, self.exceptions)
        build.write(self.artefacts, artefacts, self.catalogue, self.rdk_json, self.exceptions)
        deploy(self.server, self.artefacts, self.rdk_json, lambda account: step(f"deploying into {account}"))

    def evaluate(self, runtime: BundleRuntime, step: Step) -> Round:
        """Record every account, trigger the rules on what changed and on schedule, and read the stored evaluations."""
        total = Tally()
        results: list[Result] = []
        for account, region in self.places:
            step(f"evaluating {account} in {region}")
            state = config_service.state(account, region)
            changed = self._recorders[account, region].record(self.server.clients(account, region), account, region, state)
            trigger = Trigger(runtime, account, region, state, config_service.rules(account, region))
            for tally in (trigger.changes(changed), trigger.schedules()):
                total.invocations += tally.invocations
                total.errors += tally.errors
            total.managed_rules += tally.managed_rules
            results += self._results(account, region, state)
        regions = ", ".join(self.rdk_json.settings.regions)
        sources = [f"sandbox: {len({account for account, _ in self.places})} accounts in {regions}"]
        assessment = Assessment(sources, sorted(results, key=Result.order), places=frozenset(self.places))
        judge = Judge(list(self.catalogue.rules.values()), self.rdk_json.settings, exceptions=self.exceptions)
        assessment.exceptions = entries_of_assessment(judge, assessment)
        return Round(assessment, total)

    def _results(self, account: str, region: str, state: config_service.ConfigState) -> list[Result]:
        found = []
        for stored in state.evaluations.results(compliance=("COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE")):
            entry = self._entry(stored.rule_name)
            versions = state.history.get((stored.resource_type, stored.resource_id))
            # AWS Config knows no EXCEPTED: the function says it with this annotation
            accepted = stored.compliance == "NOT_APPLICABLE" and stored.annotation.startswith(ACCEPTED)
            subject = entry.id, account, region, stored.resource_id, versions[-1]["ARN"] if versions else None
            found_wrong = accepted or stored.compliance == "NON_COMPLIANT"
            found.append(
                Result(
                    rule=entry.id,
                    account_id=account,
                    region=region,
                    resource_type=stored.resource_type,
                    resource_id=stored.resource_id,
                    resource_name=versions[-1]["resourceName"] if versions else None,
                    compliance="EXCEPTED" if accepted else stored.compliance,
                    annotation=stored.annotation,
                    requirements={version: list(numbers) for version, numbers in entry.requirements.items()},
                    severity=entry.severity,
                    evaluated_at=timestamp(stored.recorded),
                    configuration_item_captured_at=versions[-1]["configurationItemCaptureTime"] if versions else None,
                    named_by=tuple(n for n, e in enumerate(self.exceptions.entries) if found_wrong and e.names(*subject)),
                )
            )
        return found

    def _entry(self, rule_name: str) -> RuleEntry:
        """The rule behind a deployed name, which a pack gave a suffix."""
        return self.catalogue.rules[rule_name.split("-conformance-pack-", maxsplit=1)[0]]

    def plan(self, results: Sequence[Result], step: Step) -> list[dict[str, Any]]:
        """Dry runs of the remediation of every finding that has one, started as AWS Config starts them."""
        lines = []
        for result in self._findings(results):
            entry = self.catalogue.rules[result.rule]
            line: dict[str, Any] = {
                "rule": result.rule,
                "account_id": result.account_id,
                "region": result.region,
                "resource_id": result.resource_id,
                "resource_name": result.resource_name,
                "document": entry.remediation.document if entry.remediation else None,
            }
            if entry.remediation is None:
                lines.append({**line, "status": "needs a human", "message": result.annotation})
                continue
            step(f"planning {result.resource_name or result.resource_id}"[:70])
            config = self.server.clients(result.account_id, result.region).build_client("config")
            name = self._deployed_name(result)
            key = {"resourceType": result.resource_type, "resourceId": result.resource_id}
            try:
                config.start_remediation_execution(ConfigRuleName=name, ResourceKeys=[key])
            except ClientError as error:
                lines.append({**line, "status": "failed", "message": error.response["Error"]["Message"]})
                continue
            done = config_service.state(result.account_id, result.region).executions[-1]["execution"]
            lines.append(line | _outcome(done, "dry run"))
        return lines

    def remediate(self, planned: Sequence[Mapping[str, Any]], step: Step) -> list[dict[str, Any]]:
        """Run for real, as an operator would, every document whose dry run found something that it may change."""
        lines = []
        for line in planned:
            if line["status"] != "dry run":
                lines.append(dict(line))
                continue
            step(f"fixing {line['resource_id']}"[:70])
            rule = next(
                n for n in config_service.state(line["account_id"], line["region"]).remediations if n.startswith(line["rule"])
            )
            remediation = config_service.state(line["account_id"], line["region"]).remediations[rule]
            parameters = {
                name: [line["resource_id"]] if "ResourceValue" in value else [str(v) for v in value["StaticValue"]["Values"]]
                for name, value in remediation["Parameters"].items()
            }
            ssm = self.server.clients(line["account_id"], line["region"]).build_client("ssm")
            started = ssm.start_automation_execution(
                DocumentName=line["document"], Parameters={**parameters, "DryRun": ["false"]}
            )
            done = ssm.get_automation_execution(AutomationExecutionId=started["AutomationExecutionId"])["AutomationExecution"]
            lines.append({**line, **_outcome(done, "fixed")})
            # listener rules and the like are not recorded: no item changes when they do, so the operator asks for a new look
            config = self.server.clients(line["account_id"], line["region"]).build_client("config")
            config.start_config_rules_evaluation(ConfigRuleNames=[rule])
        return lines

    def _findings(self, results: Sequence[Result]) -> list[Result]:
        return [result for result in results if result.compliance == "NON_COMPLIANT"]

    def _deployed_name(self, result: Result) -> str:
        names = config_service.state(result.account_id, result.region).remediations
        return next(name for name in names if name.startswith(f"{result.rule}-conformance-pack-"))

    def document(self, found: Round, remediation: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """The results document with what the report shows beside it."""
        roles = self.rdk_json.account_roles()
        return {
            **found.assessment.document(),
            "rules": {
                entry.id: {
                    "description": entry.description,
                    "severity": entry.severity,
                    "requirements": {version: list(numbers) for version, numbers in entry.requirements.items()},
                }
                for entry in self.catalogue.rules.values()
            },
            "accounts": {account: role.replace("_", " ") for account, role in roles.items()},
            "requirement_titles": self.catalogue.titles(),
            **({"remediation": list(remediation)} if remediation else {}),
        }


def _outcome(done: Mapping[str, Any], success: str) -> dict[str, str]:
    """What an execution came to: a refusal is a human's task, anything else that fails is a failure."""
    outputs = {name: values[0] for name, values in (done.get("Outputs") or {}).items()}
    if done["AutomationExecutionStatus"] == "Success":
        return {"status": success, "message": outputs.get("Remediate.Message", "")}
    message = done.get("FailureMessage", "").replace("step Remediate: StepFailedError: ", "")
    if message.startswith("Refused - "):
        return {"status": "needs a human", "message": message.removeprefix("Refused - ")}
    return {"status": "failed", "message": message}


def run_demo(root: Path, output: Path, *, keep_server: bool = False, console: Console | None = None) -> int:
    """Run everything, write the report and the results, say what happened. Returns the exit code."""
    if console is None:
        console = Console(highlight=False)
        if not console.is_terminal:  # a pipe has no width of its own, and 80 would break the table
            console = Console(highlight=False, width=120)
    started = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    with MotoServer() as server:
        demo = Demo(server, root)
        columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("starting", total=118)

            def step(text: str) -> None:
                progress.update(task, advance=1, description=text)

            demo.set_up(step)
            with BundleRuntime(demo.artefacts / build.BUNDLE, server) as runtime:
                before = demo.evaluate(runtime, step)
                planned = demo.plan(before.assessment.results, step)
                remediated = demo.remediate(planned, step)
                after = demo.evaluate(runtime, step)
        earlier, later = demo.document(before), demo.document(after, remediated)
        later["generated_at"] = timestamp(datetime.now(UTC))
        title = "PCI DSS configuration report: sample card issuer"
        (output / "results-before.json").write_text(render_json(earlier), "utf-8")
        (output / "results-after.json").write_text(render_json(later), "utf-8")
        (output / "remediation-plan.json").write_text(json.dumps(planned, indent=2) + "\n", "utf-8")
        (output / "report.html").write_text(html.render(later, before=earlier, title=title), "utf-8")
        _tell(console, demo, before, after, remediated)
        console.print(f"\nReport: {output / 'report.html'}   results: {output}/results-before.json, results-after.json")
        console.print(
            f"[dim]{time.monotonic() - started:.0f} s, of which nothing reached AWS: everything ran in the sandbox[/dim]"
        )
        if keep_server:
            _keep(console, server)
    failed = [line for line in remediated if line["status"] == "failed"]
    return 1 if failed or after.tally.errors else 0


def _tell(console: Console, demo: Demo, before: Round, after: Round, remediated: Sequence[Mapping[str, Any]]) -> None:
    roles = demo.rdk_json.account_roles()
    counts = [
        Counter((r.rule, r.account_id) for r in found.assessment.results if r.compliance == "NON_COMPLIANT")
        for found in (before, after)
    ]
    accounts = [account for account in roles if any(account == touched for c in counts for _, touched in c)]
    table = Table(title="Findings before → after, by rule and account", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("rule", no_wrap=True)
    for account in accounts:
        table.add_column(roles[account].replace("_", " "), justify="right")
    table.add_column("all", justify="right")
    for rule in demo.catalogue.rules:
        cells = [_change(counts[0][rule, account], counts[1][rule, account]) for account in accounts]
        sums = [sum(n for (r, _), n in c.items() if r == rule) for c in counts]
        table.add_row(rule, *cells, _change(*sums))
    table.add_section()
    totals = [[sum(n for (_, a), n in c.items() if a == account) for c in counts] for account in accounts]
    table.add_row("all", *(_change(*pair) for pair in totals), _change(*(sum(c.values()) for c in counts)))
    console.print(table)
    clean = [roles[account].replace("_", " ") for account in roles if account not in accounts]
    console.print(f"No findings in: {', '.join(clean) or 'none of the accounts'}.")
    judged = before.assessment.counts()
    console.print(
        f"{sum(judged.values())} verdicts from {before.tally.invocations} invocations of the built bundle"
        f" ({before.tally.errors} errors); {judged['COMPLIANT']} compliant from the start."
        f" {before.tally.managed_rules} deployments of AWS managed rules are not evaluated here: only AWS can."
    )
    excepted = [result for result in after.assessment.results if result.compliance == "EXCEPTED"]
    if excepted:
        console.print(f"\n[bold]Excepted ({len(excepted)})[/bold]")
    for result in excepted:
        where = f"{roles[result.account_id]} {result.region}"
        console.print(f"  {result.rule}  [dim]{where}[/dim]  {_short(result.resource_id)}", soft_wrap=True)
        console.print(f"    {result.annotation}", style="dim", markup=False, soft_wrap=True)
    for outcome, heading in zip(OUTCOMES, ("Fixed", "Needs a human", "Failed"), strict=True):
        lines = [line for line in remediated if line["status"] == outcome]
        if lines:
            console.print(f"\n[bold]{heading} ({len(lines)})[/bold]")
        for line in lines:
            where = f"{roles[line['account_id']]} {line['region']}"
            console.print(
                f"  {line['rule']}  [dim]{where}[/dim]  {line['resource_name'] or _short(line['resource_id'])}", soft_wrap=True
            )
            console.print(f"    {line['message']}", style="dim", markup=False, soft_wrap=True)


def _change(before: int, after: int) -> str:
    if not before and not after:
        return "[dim]·[/dim]"
    colour = "green" if not after else "yellow" if after < before else "red"
    return f"{before} → [{colour}]{after}[/{colour}]"


def _short(resource_id: str) -> str:
    """An ARN without the part that every ARN of the account has."""
    return resource_id.split(":", 5)[5] if resource_id.startswith("arn:") else resource_id


def _keep(console: Console, server: MotoServer) -> None:
    role = "arn:aws:iam::600000000006:role/OrganizationAccountAccessRole"
    console.print(f"\nThe sandbox is at {server.endpoint}. In another shell:")
    console.print(
        f"  export AWS_ENDPOINT_URL={server.endpoint} AWS_DEFAULT_REGION=eu-west-1",
        soft_wrap=True,
    )
    console.print("  export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox", soft_wrap=True)
    console.print(f"  aws sts assume-role --role-session-name me --role-arn {role}", soft_wrap=True)
    console.print("Ctrl-C ends it.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("ended")
