"""What the role of each Automation document may do: what stands in the document's folder, and what every document does.

`policy.json` is the fix's own part and `restore_policy.json` the restore's, with Fn::Sub placeholders.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pci_config.catalogue import CatalogueError
from pci_config.documents import document_names, restore_names
from pci_config.runbook import SWITCH_PARAMETER

EVIDENCE = "arn:${AWS::Partition}:s3:::${EvidenceBucket}/remediation/${AWS::AccountId}/*"
KEEP_EVIDENCE = {"Sid": "KeepEvidence", "Effect": "Allow", "Action": "s3:PutObject", "Resource": EVIDENCE}
READ_EVIDENCE = {"Sid": "ReadEvidence", "Effect": "Allow", "Action": "s3:GetObject", "Resource": EVIDENCE}
SEND_EVENT = {
    "Sid": "SendEvent",
    "Effect": "Allow",
    "Action": "events:PutEvents",
    "Resource": "arn:${AWS::Partition}:events:*:${AWS::AccountId}:event-bus/default",
    # a request may hold events of several sources
    "Condition": {"ForAllValues:StringEquals": {"events:source": "pci-config"}, "Null": {"events:source": "false"}},
}
READ_SWITCH = {
    "Sid": "ReadSwitch",
    "Effect": "Allow",
    "Action": "ssm:GetParameter",
    "Resource": "arn:${AWS::Partition}:ssm:*:${AWS::AccountId}:parameter" + SWITCH_PARAMETER,
}


def document_policies(folder: Path) -> dict[str, dict[str, Any]]:
    """Every document's policy, by document name. Raises CatalogueError when one is missing or no JSON."""
    restores = restore_names(folder)
    fixes = {name: _policy(folder / name / "policy.json", READ_SWITCH) for name in document_names(folder)}
    return {
        **fixes,
        **{restore: _policy(folder / fix / "restore_policy.json", READ_EVIDENCE) for fix, restore in restores.items()},
    }


def _policy(path: Path, statement: dict[str, Any]) -> dict[str, Any]:
    try:
        own = json.loads(path.read_text("utf-8"))
        return {"Version": own["Version"], "Statement": [*own["Statement"], KEEP_EVIDENCE, SEND_EVENT, statement]}
    except (OSError, ValueError, KeyError) as error:
        raise CatalogueError(f"{path}: is no policy ({error})") from None
