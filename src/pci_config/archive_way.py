"""What documents that turn logs on share: does the log end in the archive, and can the destination given take it there?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pci_config.log_destination import Place, Route, group_route, route
from pci_config.log_destination_live import LiveSurroundings
from pci_config.log_reading import described_or_none
from pci_config.runbook import Refused, aws, require_own
from pci_config.settings import Settings

NO_DESTINATION = "none"  # Config cannot pass an empty text


class ArchiveWay:
    """Where logs of the execution's account and Region lead. `settings` is the content of rdk.json."""

    def __init__(self, event: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        known = Settings.from_mapping(settings)
        if not known.archive_buckets:
            raise Refused("the document was built without LogArchive.Buckets; build it again with a complete rdk.json")
        self._event = event
        self._place = Place(str(event["AccountId"]), str(event["Region"]), known)

    def of(self, arn: str) -> Route:
        return route(arn, self._place, LiveSurroundings())

    def of_group(self, log_group: str) -> Route:
        return group_route(log_group, self._place, LiveSurroundings())

    def require(self, arn: str, prefixes: Sequence[str]) -> str:
        """The destination given, when logs sent to it end in the archive. Raises Refused.

        `prefixes` are what may stand behind the account of the ARN. A Firehose stream must exist, be active and take what
        services put into it; a bucket is looked at by the service that writes there: nothing here has rights in the archive.
        """
        if arn == NO_DESTINATION:
            raise Refused("Destination is none: name the destination that leads to the archive")
        name = arn.split(":", 5)[-1]
        if not name.startswith(tuple(prefixes)):
            raise Refused(f"{arn} cannot take these logs: expected {' or '.join(prefixes)}*")
        way = self.of(arn)
        if way.fault:
            raise Refused(f"Destination does not lead to the archive: {way.told()}")
        if name.startswith("deliverystream/"):
            self._require_direct(arn, name.removeprefix("deliverystream/"))
        return arn

    def _require_direct(self, arn: str, name: str) -> None:
        require_own(self._event, arn)
        described = described_or_none(aws("firehose"), name) or {}
        if described.get("DeliveryStreamType") != "DirectPut":
            raise Refused(f"Firehose {name} is fed by {described.get('DeliveryStreamType')}; services put into DirectPut only")
