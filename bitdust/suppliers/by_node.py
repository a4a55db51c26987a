"""Small files of what is known of nodes: JSON, one entry a node. A damaged one counts as empty."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.logger import Logger

_Entry = TypeVar("_Entry")
_log = Logger()


def read_by_node(path: Path, most: int, read: Callable[[Any], _Entry]) -> dict[bytes, _Entry]:
    """By fingerprint what ``read`` makes of each entry, which raises `ValueError`, `TypeError`, `KeyError` or
    `AttributeError`; empty where there is no file of at most so many bytes that can be read."""
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(most))
        return {bytes.fromhex(who): read(entry) for who, entry in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        _log.warn("{path} cannot be read and counts as empty: {error}", path=path, error=error)
        return {}
