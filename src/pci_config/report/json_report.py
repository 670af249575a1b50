"""The results document as JSON, and one result a line as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def render_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def render_jsonl(document: Mapping[str, Any]) -> str:
    return "".join(json.dumps(result, ensure_ascii=False) + "\n" for result in document["results"])
