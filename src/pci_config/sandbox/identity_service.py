"""Adds to moto what Identity Center shows of itself: which account has an instance, and where its users come from; and the ids
and names of managed policies in GetAccountAuthorizationDetails, which takes roles of CloudFormation, too; and ids of IAM users
in AWS's form.

moto gives every account an instance in every Region; here an account has one when `enable` said so, in that Region. Users have
the external ids and the status that `provisioned` states. Source: SSO Admin API reference, ListInstances; Identity Store API
reference, User.
"""

from __future__ import annotations

import json
import operator
from typing import Any

from moto.iam.models import Policy, Role, User
from moto.iam.utils import generate_access_key_id_from_account_id
from moto.identitystore.models import identitystore_backends
from moto.identitystore.responses import IdentityStoreResponse
from moto.ssoadmin.models import ssoadmin_backends
from moto.ssoadmin.responses import SSOAdminResponse

_ENABLED, _STATED = "sandbox_enabled", "sandbox_users"
_moto_put_policy = Role.put_policy
_moto_make_user = User.__init__
_moto_list_users = IdentityStoreResponse.list_users


def install() -> None:
    """Teach moto the actions of this module. Installing again changes nothing."""
    for response, action in ((SSOAdminResponse, list_instances), (IdentityStoreResponse, list_users)):
        setattr(response, action.__name__, action)
    setattr(Role, put_policy.__name__, put_policy)
    User.__init__ = make_user  # type: ignore[method-assign]
    for member in ("id", "name"):  # moto's serialiser looks for PolicyId and PolicyName under other names than the model's
        setattr(Policy, f"policy_{member}", property(operator.attrgetter(member)))


def make_user(self: Any, account_id: str, *more: Any, **named: Any) -> None:
    _moto_make_user(self, account_id, *more, **named)
    self.id = generate_access_key_id_from_account_id(account_id, prefix="AIDA", total_length=21)


def enable(account_id: str, region: str) -> str:
    """Switch Identity Center on, which AWS has only in its console; returns the id of the identity store."""
    backend = ssoadmin_backends[account_id][region]
    backend.__dict__[_ENABLED] = True
    return str(backend.instances[0].identity_store_id)


def provisioned(account_id: str, region: str, user_id: str, issuer: str | None, status: str = "ENABLED") -> None:
    """State where a user of the identity store came from, which moto does not keep."""
    stated = identitystore_backends[account_id][region].__dict__.setdefault(_STATED, {})
    external = {"ExternalIds": [{"Issuer": issuer, "Id": user_id}]} if issuer else {}
    stated[user_id] = {"UserStatus": status, **external}


def list_instances(self: Any) -> str:
    backend = self.ssoadmin_backend
    found = backend.list_instances() if backend.__dict__.get(_ENABLED) else []
    return json.dumps({"Instances": [instance.to_json() for instance in found]})


def list_users(self: Any) -> str:
    reply = json.loads(_moto_list_users(self))
    stated = self.identitystore_backend.__dict__.get(_STATED, {})
    for user in reply["Users"]:
        user.update(stated.get(user["UserId"], {}))
    return json.dumps(reply)


def put_policy(self: Role, name: str, document: Any) -> None:
    """As text, also where CloudFormation brings an object, which moto's GetAccountAuthorizationDetails stumbles over."""
    _moto_put_policy(self, name, document if isinstance(document, str) else json.dumps(document))
