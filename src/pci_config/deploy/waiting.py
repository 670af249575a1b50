"""Waiting that ends. What takes long is a course: a generator that yields when it has to wait, so several go on at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from pci_config.deploy.problems import DeployError, code_of

Answer = TypeVar("Answer")
Course = Generator[None, None, Answer]
# another operation is under way; it passes
BUSY = (
    "OperationInProgressException",
    "OperationInProgress",
    "ResourceInUseException",
    "StaleRequestException",
    "StaleRequest",
    "OperationAborted",  # S3: a bucket of that name is being deleted
)


@dataclass
class Waiting:
    """`timeout`: seconds in which at least one of the courses must end; pauses double from `first` to `longest`."""

    timeout: float = 2 * 3600
    first: float = 2
    longest: float = 30
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def together(self, courses: Mapping[str, Course[Answer]]) -> dict[str, Answer]:
        """What each course returns. Raises DeployError when the time is over; what AWS has begun goes on."""
        left, answers = dict(courses), dict[str, Answer]()
        end, pause = self.clock() + self.timeout, self.first
        while left:
            for name, course in list(left.items()):
                try:
                    next(course)
                except StopIteration as over:
                    answers[name] = over.value
                    del left[name]
                    end, pause = self.clock() + self.timeout, self.first
            if left and self.clock() >= end:
                raise DeployError(
                    f"not finished after {self.timeout / 60:.0f} minutes: {', '.join(left)}",
                    "it goes on in AWS; run the same command again to wait further",
                )
            if left:
                self.sleep(pause)
                pause = min(self.longest, pause * 2)
        return answers

    def alone(self, name: str, course: Course[Answer]) -> Answer:
        return self.together({name: course})[name]


def until(look: Callable[[], Answer | None]) -> Course[Answer]:
    """What `look` answers once it is not None."""
    while (answer := look()) is None:
        yield
    return answer


def when_free(call: Callable[..., Answer], **request: Any) -> Course[Answer]:
    """What the call returns, made again for as long as AWS says that another operation is under way."""
    while True:
        try:
            return call(**request)
        except ClientError as error:
            if code_of(error) not in BUSY:
                raise
        yield
