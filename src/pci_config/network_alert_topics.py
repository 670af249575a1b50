"""Does what a service publishes to an SNS topic reach anybody?

Sources: SNS developer guide, "Key management"; CloudWatch user guide, "Notifying users on alarm changes"; EventBridge user
guide, resource-based policies. Standard library only.
"""

from __future__ import annotations

from pci_config.iam_condition import PolicyError
from pci_config.iam_policy import Principal, parse_policy
from pci_config.network_alerts import ALARMS, Topic, deaf_topic_fault


def topic_fault(topic: Topic | None, publisher: str, account_id: str, by_role: bool = False) -> str | None:
    """Why what the service publishes to a topic reaches nobody, if so. A role that publishes needs no policy of the topic."""
    fault = deaf_topic_fault(topic, publisher)
    if fault or topic is None:
        return fault
    return None if by_role else _policy_fault(topic, publisher, account_id)


def _policy_fault(topic: Topic, publisher: str, account_id: str) -> str | None:
    try:
        policy = parse_policy(topic.policy, "its policy", "required")
    except PolicyError as error:
        return f"cannot be judged: {error}"
    # alarms publish in the name of the account, so a topic's default policy lets them; EventBridge does not
    context = {"aws:sourceowner": account_id if publisher == ALARMS else None, "aws:sourceaccount": account_id}
    service = Principal("Service", publisher)
    allowed = any(s.allows and s.applies(service, "sns:Publish", topic.arn, context) is not False for s in policy.statements)
    if not allowed or policy.denied(service, "sns:Publish", topic.arn, context):
        return f"has no policy that lets {publisher} publish"
    return None
