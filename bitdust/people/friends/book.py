"""The list of friends on the disk: ``metadata/friends``, JSON, one entry a friend.

A list that cannot be read is never written over: it is left for its person to look at, and nothing is added to it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.batching import Batcher
from bitdust.crypt.files import write_safely
from bitdust.wire.errors import BitDustError

VERSION = 1
MAX_FILE = 4 * 1024 * 1024
MOST = 5_000
MAX_ALIAS = 100
MOST_CHANGES = 256
"""Changes that one writing of the file takes together."""


@frozen
class Friend:
    """Somebody whom the person of this node has accepted; ``since`` is in seconds since the epoch.

    ``key`` says how it is with my person key: empty where it is not to be given, `DUE` or `GIVEN`.
    """

    fingerprint: bytes
    alias: str = ""
    since: int = 0
    key: str = ""


DUE, GIVEN = "due", "given"
Known = dict[bytes, Friend]


@frozen
class Put:
    """Add a friend, or give one another alias where it has one; True when it is new."""

    friend: Friend

    def apply(self, known: Known) -> bool:
        """Raises `BitDustError` ``too-many-friends``."""
        before = known.get(self.friend.fingerprint)
        if before is None and len(known) >= MOST:
            raise BitDustError("too-many-friends", f"a list of friends has at most {MOST} of them")
        alias = self.friend.alias or (before.alias if before is not None else "")
        key = before.key if before is not None and (before.key == GIVEN or not self.friend.key) else self.friend.key
        known[self.friend.fingerprint] = evolve(before or self.friend, alias=alias, key=key)
        return before is None


@frozen
class NoteGiven:
    """A friend has my person key; True when it is one."""

    fingerprint: bytes

    def apply(self, known: Known) -> bool:
        """Nothing is raised."""
        before = known.get(self.fingerprint)
        if before is not None:
            known[self.fingerprint] = evolve(before, key=GIVEN)
        return before is not None


@frozen
class Take:
    """Remove a friend; True when it was one."""

    fingerprint: bytes

    def apply(self, known: Known) -> bool:
        """Nothing is raised."""
        return known.pop(self.fingerprint, None) is not None


Change = Put | Take | NoteGiven


class FriendsBook:
    """I know who is a friend; a change counts when it is on the disk."""

    log = Logger()

    def __init__(self, path: Path, run_in_thread: "Callable[..., Deferred[Any]]") -> None:
        self._path = path
        self._run_in_thread = run_in_thread
        self._changes: Batcher[Change] = Batcher(self._apply, MOST_CHANGES)
        self.known: Known = {}
        self.problem = ""
        """Why the list cannot be read; empty when all is well."""

    def load(self) -> None:
        """Read the file."""
        self.known, self.problem = {}, ""
        try:
            self.known = _read(self._path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self.problem = f"{self._path} cannot be read ({error}); bring it back from a copy, or move it away"
            self.log.warn("{problem}", problem=self.problem)

    def change(self, change: "Change") -> "Deferred[bool]":
        """Fires when it is on the disk. Fails with ``damaged-friends``, ``too-many-friends`` or `OSError`."""
        return self._changes.put(change)

    async def _apply(self, changes: "list[Change]") -> list[bool | BitDustError]:
        if self.problem:
            raise BitDustError("damaged-friends", self.problem)
        known = dict(self.known)
        results: list[bool | BitDustError] = []
        for change in changes:
            try:
                results.append(change.apply(known))
            except BitDustError as error:
                results.append(error)
        if known != self.known:
            await self._run_in_thread(write_safely, self._path, _written(known))
            self.known = known
        return results


def _read(data: bytes) -> Known:
    """Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError`."""
    if len(data) > MAX_FILE:
        raise ValueError(f"{len(data)} bytes")
    value = json.loads(data)
    if value["version"] != VERSION:
        raise ValueError(f"its version is {value['version']!r}, not {VERSION}")
    found = [
        Friend(bytes.fromhex(one["who"]), str(one["alias"]), int(one["since"]), str(one.get("key", "")))
        for one in value["friends"]
    ]
    if any(len(friend.fingerprint) != 32 for friend in found):
        raise ValueError("somebody in it has no fingerprint")
    return {friend.fingerprint: friend for friend in found}


def _written(known: Known) -> bytes:
    friends = [
        {"who": one.fingerprint.hex(), "alias": one.alias, "since": one.since} | ({"key": one.key} if one.key else {})
        for one in known.values()
    ]
    return json.dumps({"version": VERSION, "friends": friends}, indent=1).encode()
