"""Whether Systems Manager may assume the role of an execution, by the role's trust policy as moto's IAM keeps it.

Sources: AWS Systems Manager user guide, "Use IAM to configure roles for Automation" (aws:SourceAccount, and aws:SourceArn with
the ARN of the execution) and "Troubleshooting Systems Manager Automation" (the two refusals and their texts).
"""

from __future__ import annotations

import re

from moto.iam.models import Role, iam_backends

from pci_config.iam_condition import Context, PolicyError
from pci_config.iam_policy import Principal, parse_policy
from pci_config.sandbox.automation_values import ParameterRefusedError

SERVICE = Principal("Service", "ssm.amazonaws.com")
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/[\w+=,.@/-]+")


def require_trust(role_arn: str, account_id: str, region: str, execution_id: str) -> None:
    """Raises ParameterRefusedError as StartAutomationExecution does when the role is malformed, missing, or trusts otherwise.

    A role of another account counts as one that cannot be assumed: iam:PassRole passes roles of its own account only.
    """
    found = ROLE_ARN.fullmatch(role_arn)
    if not found:
        raise ParameterRefusedError("The format of the supplied assume role ARN is invalid.")
    role = _role(role_arn) if found.group(1) == account_id else None
    if role is None or not _trusts(role, account_id, region, execution_id):
        raise ParameterRefusedError("The defined assume role is unable to be assumed.")


def _role(arn: str) -> Role | None:
    backend = iam_backends[arn.split(":")[4]]["aws"]
    return next((role for role in backend.roles.values() if role.arn == arn), None)


def _trusts(role: Role, account_id: str, region: str, execution_id: str) -> bool:
    context: Context = {
        "aws:sourceaccount": account_id,
        "aws:sourcearn": f"arn:aws:ssm:{region}:{account_id}:automation-execution/{execution_id}",
    }
    try:
        policy = parse_policy(role.assume_role_policy_document, role.arn, "required")
    except PolicyError:
        return False
    answers = [(s.allows, s.applies(SERVICE, "sts:AssumeRole", None, context)) for s in policy.statements]
    # what one cannot say of a Deny counts as one, what one cannot say of an Allow does not
    return (True, True) in answers and not any(applies is not False for allows, applies in answers if not allows)
