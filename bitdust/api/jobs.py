"""Jobs that last: which machine does one, so that who has begun it can follow it."""

from collections.abc import Mapping
from typing import Any

from bitdust.api.context import Context


def address(row: Mapping[str, Any]) -> dict[str, Any]:
    """Index and id of a machine, as `automats_list` shows them, out of a row that has both."""
    return {"index": row["index"], "id": row["id"]}


def addressed(context: Context, kind: str) -> dict[str, Any] | None:
    """The same of the machine that is the only one of its kind; None while there is none."""
    found = context.registry.find(kind)
    return {"index": found[0].index, "id": found[0].id} if found else None
