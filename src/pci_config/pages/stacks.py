"""The stacks of an organization, in the order in which they are deployed: `org_setup/README.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pci_config.document_stacks import ASSIGNMENT, FIXES_OF_A_TEMPLATE, MAX_TEMPLATE_BYTES
from pci_config.pack_limits import MAX_TEMPLATE_BYTES as MAX_REQUEST_BYTES
from pci_config.pages.markdown import code, generated, page, table
from pci_config.requirements import parsed_yaml

ORDER = """\
`member_global` first: the roles, in the home Region only, because names of roles are the account's. Then `member_regional` and
every `member_documents_N` in every Region, in any order among themselves. The conformance packs come last: a pack fails in an
account that has no function yet, and a fix cannot start without its document. To StackSets of service-managed permissions
`AutoDeployment` with `DependsOn` says the same for accounts that join later. StackSets never deploy to the management account:
it gets the same templates as stacks of its own, or is excluded from the packs.

`artifacts` and `delegated_admin` are the delegated administrator's own, and come before: they have the buckets that all of this
is read from, and what the organization's results and evidence go to. `pci-config deploy` does everything in this order.

When all of it is there, [service_control_policy](service_control_policy/README.md) keeps the accounts' administrators from
it."""
LIMITS = f"""\
A template of up to {MAX_REQUEST_BYTES:,} bytes goes in the request; a larger one (to {MAX_TEMPLATE_BYTES:,} bytes) from a
bucket, as `TemplateURL`. No macros, no nested stacks: StackSets of service-managed permissions take neither.
`member_global` needs `CAPABILITY_NAMED_IAM`."""
ON_DEMAND = """\
Without further parameters the members get function, log, switch, roles and alarms that tell nobody. The others need something
of theirs elsewhere first:

- `AlarmTopic`: a topic of that name in each Region, whose policy lets CloudWatch of the organization's accounts publish. An
  alarm tells topics of its own Region only; where there is one Region with a topic, take the alarms from `EventBus`.
- `EventBus`, to both stacks: a bus whose policy lets the organization put events. Changes of compliance of the packs' rules,
  what documents did, and the alarms' changes of state arrive there from every account and Region.
- `Recorder: create`: no recorder may be there; Control Tower makes its own. The policy of `RecorderBucket` lets
  `config.amazonaws.com` of these accounts write, and each account has the service-linked role of AWS Config:
  `ConfigRole: create` makes it, and fails where it is. The types are those that the rules need, each in the Regions where it
  has items; with the stack the recorder goes, and what it recorded stays.
- `ReservedConcurrency`: an account has to keep a hundred for its other functions, which new accounts may not have."""
DOCUMENTS = f"""\
All documents together would not fit. Each `member_documents_N` holds up to {FIXES_OF_A_TEMPLATE} fixes with their restores,
which fit even when each is as large as Systems Manager takes (64 KB). [{ASSIGNMENT.name}]({ASSIGNMENT.name})
says which holds which; the build adds new ones where there is room and moves none: names of documents are unique in an account
and Region, so the stack that gets one would fail while the other still has it. To move one nevertheless, let its StackSet
finish an update without it first."""


def stacks_page(templates: Mapping[Path, str]) -> str:
    """The page; `templates` are the stacks' templates by path."""
    lines = [generated("what is in this folder's templates"), "# Stacks of every account", "", *ORDER.split("\n"), ""]
    lines += table(
        ["stack", "what it holds", "parameters", "bytes", f"free of {MAX_TEMPLATE_BYTES:,}"],
        (_row(path, text) for path, text in templates.items()),
    )
    lines += ["", *LIMITS.split("\n"), "", "## Parameters", "", *ON_DEMAND.split("\n"), ""]
    lines += table(["stack", "parameter", "default", "meaning"], _parameters(templates))
    return page([*lines, "", "## Documents", "", *DOCUMENTS.split("\n")])


def _parameters(templates: Mapping[Path, str]) -> Iterator[tuple[str, ...]]:
    for path, text in templates.items():
        for name, slot in (parsed_yaml(text).get("Parameters") or {}).items():
            default = slot.get("Default")
            given = "must be given" if default is None else code([str(default)]) if default != "" else "empty"
            yield path.parent.name, code([name]), given, slot["Description"]


def _row(path: Path, text: str) -> tuple[str, ...]:
    template: dict[str, Any] = parsed_yaml(text)
    name, size = path.parent.name, len(text.encode())
    parameters = template.get("Parameters") or {}
    named = [resource["Properties"]["Name"] for resource in template["Resources"].values() if _is_document(resource)]
    holds = code(named) if named else template["Description"].removeprefix("pci-config: ")
    return f"[{name}]({name}/template.yaml)", holds, code(parameters), f"{size:,}", f"{MAX_TEMPLATE_BYTES - size:,}"


def _is_document(resource: Mapping[str, Any]) -> bool:
    return bool(resource["Type"] == "AWS::SSM::Document")
