"""Every test, wherever it stands, runs with dummy credentials and without the caller's AWS environment."""

from __future__ import annotations

import functools
import os
from typing import Any

import botocore.session
import pytest
from botocore.client import ClientCreator

DUMMY = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # takes longer than all else
}


def _share_methods() -> None:
    """Thousands of clients are made in the tests. botocore makes a function for every operation of a service each time, which
    are hundreds; they depend on the service alone, so that all clients of a service can have the same."""
    made: dict[tuple[str, str], Any] = {}
    make = ClientCreator._create_methods

    def shared(self: ClientCreator, service_model: Any) -> Any:
        key = service_model.service_name, service_model.api_version
        if key not in made:
            made[key] = make(self, service_model)
        return dict(made[key])

    ClientCreator._create_methods = shared


_share_methods()
# Each session would read the service models from the disk again: EC2's alone are megabytes of JSON
botocore.session.create_loader = functools.lru_cache(botocore.session.create_loader)


@pytest.fixture(autouse=True)
def dummy_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in DUMMY.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
