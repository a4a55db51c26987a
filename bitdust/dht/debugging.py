"""Values that anybody may write into the table, to see whether it works."""

import json
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail

from bitdust.dht.fetching import Found
from bitdust.dht.ids import record_key
from bitdust.dht.publishing import Stored
from bitdust.dht.records import DEBUG, MAX_DEBUG_TTL
from bitdust.wire.errors import BitDustError


class RecordsPort(Protocol):
    """The node, as far as records go."""

    @property
    def id(self) -> bytes:
        """Its id."""

    def put(self, kind: str, subject: str, revision: int, value: bytes, ttl: int, layer: int) -> "Deferred[Stored]":
        """Store a record."""

    def search(self, kind: str, subject: str, layer: int) -> "Deferred[Found]":
        """Look for a record."""

    def revision(self, key: bytes) -> int | None:
        """The revision that is kept here under a key."""


class DebugRecords:
    """I write and read them; they live 24 hours at most and have 1 kB."""

    def __init__(self, wall: Callable[[], float], node: RecordsPort) -> None:
        self._wall = wall
        self._node = node

    def put(self, key: str, value_json: Any, expire: int | None = None, layer: int = 0) -> "Deferred[dict[str, Any]]":
        """Write any JSON value under a text; anybody may write there."""
        try:
            value = json.loads(value_json) if isinstance(value_json, str) else value_json
            raw = json.dumps(value, separators=(",", ":")).encode()
        except (ValueError, TypeError) as error:
            return fail(BitDustError("bad-value", f"the value must be JSON: {error}"))
        ttl = MAX_DEBUG_TTL if expire is None else max(1, min(int(expire), MAX_DEBUG_TTL))

        def shown(stored: Stored) -> dict[str, Any]:
            good = {"write": "success", "value": value} if stored.count else {"write": "failed"}
            return {**good, "my_dht_id": self._node.id.hex(), "key": key, "closest_nodes": list(stored.closest)}

        known = self._node.revision(record_key(DEBUG, key, layer))
        revision = max(int(self._wall() * 1000), (known or 0) + 1)
        return self._node.put(DEBUG, key, revision, raw, ttl, layer).addCallback(shown)

    def get(self, key: str, layer: int = 0) -> "Deferred[dict[str, Any]]":
        """Read what `put` wrote."""

        def shown(found: Found) -> dict[str, Any]:
            answer = {"my_dht_id": self._node.id.hex(), "key": key}
            try:
                value = json.loads(found.record.value) if found.record is not None else None
            except ValueError:
                value = None
            if value is None:
                return {**answer, "read": "failed", "closest_nodes": list(found.closest) or [self._node.id.hex()]}
            return {**answer, "read": "success", "value": value}

        return self._node.search(DEBUG, key, layer).addCallback(shown)
