"""What a log's destination leads to, as a document asks AWS for it in its own account and Region.

Rules ask the same by lookups (`pci_config.log_facts`), which answer from a snapshot too.
"""

from __future__ import annotations

from collections.abc import Sequence

from pci_config.log_destination import Stream, Subscription, described_stream
from pci_config.log_reading import described_or_none, found_subscriptions
from pci_config.runbook import Refused, aws


class LiveSurroundings:
    """`pci_config.log_destination.Surroundings` answered by calls. Raises Refused for what is not understood."""

    def stream(self, name: str) -> Stream | None:
        described = described_or_none(aws("firehose"), name)
        return None if described is None else described_stream(described)

    def subscriptions(self, log_group: str) -> Sequence[Subscription]:
        try:
            return found_subscriptions(aws("logs"), log_group)
        except ValueError as error:
            raise Refused(str(error)) from None
