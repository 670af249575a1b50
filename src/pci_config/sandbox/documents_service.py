"""Mends moto's documents of Systems Manager that CloudFormation makes: a change is a new version, and their content is text.

With UpdateMethod NewVersion a changed document gets a version, which becomes its default; content that an older version has
makes that one the default again. Source: CloudFormation template reference, AWS::SSM::Document; Systems Manager API reference,
UpdateDocument (DuplicateDocumentContent).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from moto.core.responses import ActionResult
from moto.ssm.exceptions import DuplicateDocumentContent
from moto.ssm.models import Document, ssm_backends
from moto.ssm.responses import SimpleSystemManagerResponse

_moto_update = Document.update_from_cloudformation_json
_moto_get = SimpleSystemManagerResponse.get_document


def install() -> None:
    """Mend moto. Installing again changes nothing."""
    Document.update_from_cloudformation_json = staticmethod(_update)  # type: ignore[method-assign]
    Document.hash = property(_hash)  # type: ignore[assignment,method-assign]
    SimpleSystemManagerResponse.get_document = get_document  # type: ignore[method-assign]


def _update(
    original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
) -> Document:
    properties = cloudformation_json["Properties"]
    name = properties.get("Name", original_resource.name)
    if properties.get("UpdateMethod") != "NewVersion" or name != original_resource.name:
        return _moto_update(original_resource, new_resource_name, cloudformation_json, account_id, region_name)
    backend = ssm_backends[account_id][region_name]
    documents = backend._get_documents(name)
    try:
        backend.update_document(
            content=properties["Content"],
            attachments=properties.get("Attachments") or [],
            name=name,
            version_name=properties.get("VersionName") or "",
            document_version="$LATEST",
            document_format=properties.get("DocumentFormat") or "JSON",
            target_type=properties.get("TargetType") or "",
        )
        version = documents.latest_version
    except DuplicateDocumentContent:
        same = [one for one in documents.versions.values() if one.content == properties["Content"]]
        version = same[-1].document_version
    backend.update_document_default_version(name, version)
    return documents.get_default_version()


def _hash(self: Document) -> str:
    return hashlib.sha256(_text(self.content).encode()).hexdigest()


def get_document(self: Any) -> ActionResult:
    found: Any = _moto_get(self).result
    return ActionResult({**found, "Content": _text(found["Content"])})


def _text(content: Any) -> str:
    """A template may have it as an object; JSON is YAML, too."""
    return content if isinstance(content, str) else json.dumps(content)
