"""The sandbox's time: documents sleep, wait and time out without anybody waiting."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Time that passes only when somebody waits for it; `moment` adds what was waited to the time of day."""

    def __init__(self) -> None:
        self.now = self._began = time.time()

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def moment(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.now - self._began)
