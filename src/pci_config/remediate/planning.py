"""Makes a plan from findings: what would be started on which, what it would change, and what is left out and why."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from pci_config.assess import deployed_in
from pci_config.catalogue import Catalogue, Fix, RuleEntry
from pci_config.exceptions import ExceptionRegister
from pci_config.rdk_json import RdkJson
from pci_config.remediate import plan as plans
from pci_config.remediate.access import Access
from pci_config.remediate.course import Course, Limits
from pci_config.remediate.document_facts import GIVEN_AT_START, DocumentFacts, concrete_parameters, role_arn
from pci_config.remediate.executions import Job, SystemsManager
from pci_config.remediate.plan import DryRun, Entry, LeftOut, Plan, Restoring, entry_id
from pci_config.remediate.state import FIX, Attempt, now
from pci_config.report.rows import Row

GUARDED_ROLES = ("management", "log_archive")  # nothing there is fixed by one person alone
WHY = {"refused": plans.REFUSED, "compliant": plans.NOTHING_TO_DO, "gone": plans.NOTHING_TO_DO, "excepted": plans.EXCEPTED}


@dataclass(frozen=True)
class Planner:
    """What every plan is made from."""

    catalogue: Catalogue
    rdk_json: RdkJson
    documents: Mapping[str, DocumentFacts]
    exceptions: ExceptionRegister

    def plan(self, rows: Iterable[Row], source: str, created_by: str = "") -> Plan:
        """Without dry runs: one entry for each finding and document that mends its rule. Raises CatalogueError."""
        entries: dict[str, Entry] = {}
        left_out: list[LeftOut] = []
        for row in rows:
            rule = self.catalogue.rules.get(row.rule)
            if row.compliance == "EXCEPTED":
                left_out.append(_left_out(plans.EXCEPTED, row, row.annotation))
            elif row.compliance in ("ERROR", "NOT_ASSESSED"):
                left_out.append(_left_out(plans.NOT_JUDGED, row, row.annotation))
            elif row.compliance == "NON_COMPLIANT":
                excepted = "" if rule is None else self._excepted(rule, row)
                if excepted:
                    left_out.append(_left_out(plans.EXCEPTED, row, excepted))
                elif rule is None or not rule.fixes:
                    left_out.append(_left_out(plans.NO_FIX, row, row.annotation))
                else:
                    found = [self._entry(rule, fix, row) for fix in rule.fixes]
                    entries |= {entry.id: entry for entry in found}
        return numbered(
            Plan(
                schema_version=plans.SCHEMA_VERSION,
                plan_id="",
                created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                created_by=created_by,
                source=source,
                home_region=self.rdk_json.settings.home_region,
                accounts={account: role.replace("_", " ") for account, role in self.rdk_json.account_roles().items()},
                entries=tuple(entries.values()),
                left_out=tuple(left_out),
            )
        )

    def _excepted(self, rule: RuleEntry, row: Row) -> str:
        region = deployed_in(rule, row.region, self.rdk_json.settings.home_region)
        arn = row.resource_id if row.resource_id.startswith("arn:") else None
        found = self.exceptions.match(rule.id, row.account_id, region, row.resource_id, arn, datetime.now(UTC).date())
        return found.accepted(row.annotation) if found else ""

    def _entry(self, rule: RuleEntry, fix: Fix, row: Row) -> Entry:
        region = deployed_in(rule, row.region, self.rdk_json.settings.home_region)
        parameters = concrete_parameters(rule, fix, self.rdk_json, self.documents, row.account_id, region, row.resource_id)
        facts = self.documents[fix.document]
        return Entry(
            id=entry_id(rule.id, row.account_id, region, row.resource_type, row.resource_id, fix.document),
            rule=rule.id,
            severity=rule.severity,
            account_id=row.account_id,
            region=region,
            resource_type=row.resource_type,
            resource_id=row.resource_id,
            resource_name=row.resource_name,
            annotation=row.annotation,
            document=fix.document,
            resource_parameter=fix.resource_parameter,
            parameters=parameters,
            may_break=facts.may_break,
            undo=facts.undo,
            approver=self._approver(rule, fix, row.account_id),
            restore=restoring(facts, parameters, role_arn(self.rdk_json, row.account_id, facts.restore or "")),
        )

    def _approver(self, rule: RuleEntry, fix: Fix, account_id: str) -> str:
        """Who is to agree: as rdk.json says, or as the effect of the fix demands."""
        asked = self.rdk_json.remediation.rules.get(rule.id)
        named = (asked.approver if asked else None) or self.rdk_json.remediation.approver
        role = self.rdk_json.account_roles().get(account_id, "")
        if named:
            return named
        if role in GUARDED_ROLES:
            return f"two people, one of them responsible for the {role.replace('_', ' ')} account"
        harmless = rule.automatic_allowed is True and fix == rule.remediation
        return "the resource's owner" if harmless else "the resource's owner and a second person: it can cut traffic or access"


def restoring(facts: DocumentFacts, parameters: Mapping[str, str], role: str) -> Restoring | None:
    """The way back, with those of the fix's parameters that it takes too."""
    if facts.restore is None:
        return None
    shared = {
        name: value for name, value in parameters.items() if name in facts.restore_parameters and name not in GIVEN_AT_START
    }
    return Restoring(facts.restore, {"AutomationAssumeRole": role, **shared})


def numbered(plan: Plan) -> Plan:
    return msgspec.structs.replace(plan, plan_id=plans.plan_id(plan))


def with_dry_runs(plan: Plan, access: Access, at_once: int, tell: Callable[[str], None]) -> Plan:
    """The plan after every document was started with DryRun true: what would change, and what is to be left out.

    Of several documents for one finding those stay that have something to do. Nothing is changed by this.
    """
    jobs = [
        Job(
            entry,
            Attempt(FIX, 1, str(uuid.uuid4()), entry.document, entry.account_id, entry.region, now()),
            {**entry.parameters, "DryRun": "true"},
        )
        for entry in plan.entries
    ]

    def told(job: Job, line: str) -> None:
        if not line.startswith(("started ", "step ")):
            said = "would change it" if job.attempt.outcome == "dry-run" else line
            tell(f"{plan.place(job.entry.account_id, job.entry.region)} {job.entry.document} {job.entry.resource_id}: {said}")

    limits = Limits(at_once=at_once, per_account=at_once, max_failures=0, timeout_seconds=900)
    Course(SystemsManager(access), limits, lambda _: None, told).carry_out(jobs)
    by_finding: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        by_finding.setdefault((job.entry.rule, *job.entry.resource, job.entry.resource_type), []).append(job)
    entries: list[Entry] = []
    left_out = list(plan.left_out)
    for group in by_finding.values():
        useful = [job for job in group if job.attempt.outcome == "dry-run"]
        entries += [msgspec.structs.replace(job.entry, dry_run=_dry_run(job)) for job in useful]
        if not useful:
            left_out.append(_unplanned(group))
    return numbered(msgspec.structs.replace(plan, entries=tuple(entries), left_out=tuple(left_out)))


def _dry_run(job: Job) -> DryRun:
    return DryRun(job.attempt.execution_id, job.attempt.message, job.calls, dict(job.before))


def _unplanned(group: Sequence[Job]) -> LeftOut:
    """Why no document would do anything: what a person must look at goes first."""
    order = ("refused", "failed", "not started", "", "excepted", "compliant", "gone")
    first = min(group, key=lambda job: order.index(job.attempt.outcome) if job.attempt.outcome in order else 0)
    entry, attempt = first.entry, first.attempt
    message = attempt.message or f"the dry run {attempt.execution_id or ''} has not ended ({attempt.status})"
    why = WHY.get(attempt.outcome, plans.FAILED)
    return LeftOut(why, entry.rule, entry.account_id, entry.region, entry.resource_type, entry.resource_id, message)


def _left_out(why: str, row: Row, message: str) -> LeftOut:
    return LeftOut(why, row.rule, row.account_id, row.region, row.resource_type, row.resource_id, message)
