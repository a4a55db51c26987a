"""The list of friends on the disk: ``metadata/friends``, JSON, one entry a friend, and a mark for who was removed.

Every device of a person has one, and lists are joined: for each person the entry with more edits counts, of two with
as many the one that keeps a friend, so that joining in any order comes to the same and nobody is lost by it. In the
same way it says which nickname the person has chosen. A list that cannot be read is never written over: it is left for
its person to look at, and nothing is added to it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.batching import Batcher
from bitdust.crypt.files import write_safely
from bitdust.wire.errors import BitDustError
from bitdust.wire.nicknames import is_nickname

VERSION, OLDEST = 3, 1
"""1 has neither edits nor marks, 2 no nickname."""
MAX_FILE = 4 * 1024 * 1024
MOST = 5_000
MOST_REMOVED = 5_000
"""Marks that are kept; the oldest ones go first."""
MOST_AHEAD = 1_000
"""Edits that another list is ahead at most: a stolen device does not have the last word for ever."""
MAX_ALIAS = 100
MOST_CHANGES = 256
"""Changes that one writing of the file takes together."""


@frozen
class Friend:
    """Somebody whom the person of this node has accepted; ``since`` is in seconds since the epoch.

    ``key`` says how it is with my person key: empty where it is not to be given, `DUE` or `GIVEN`. ``edits`` counts
    how often it was added, called otherwise or removed.
    """

    fingerprint: bytes
    alias: str = ""
    since: int = 0
    key: str = ""
    edits: int = 1

    def joined(self, other: "Friend") -> "Friend":
        """The same on either side."""
        edits, alias = max((self.edits, self.alias), (other.edits, other.alias))
        key = max(self.key, other.key, key=_KEYS.index)
        since = min(self.since or other.since, other.since or self.since)
        return Friend(self.fingerprint, alias, since, key, edits)


DUE, GIVEN = "due", "given"
_KEYS = ("", DUE, GIVEN)


@frozen
class Called:
    """The nickname that the person has chosen, empty for the name of the identity, and how often one was chosen."""

    nickname: str = ""
    edits: int = 0

    def joined(self, other: "Called") -> "Called":
        """The same on either side."""
        edits, nickname = max((self.edits, self.nickname), (min(other.edits, self.edits + MOST_AHEAD), other.nickname))
        return Called(nickname, edits)


@define
class Known:
    """Friends, and after how many edits others were removed, both in the order in which that came."""

    friends: dict[bytes, Friend] = field(factory=dict)
    removed: dict[bytes, int] = field(factory=dict)
    called: Called = Called()

    def copy(self) -> "Known":
        """One that may be changed."""
        return Known(dict(self.friends), dict(self.removed), self.called)


@frozen
class Put:
    """Add a friend, or give one another alias where it has one; True when it is new."""

    friend: Friend

    def apply(self, known: Known) -> bool:
        """Raises `BitDustError` ``too-many-friends``."""
        who, friend = self.friend.fingerprint, self.friend
        before = known.friends.get(who)
        if before is None:
            if len(known.friends) >= MOST:
                raise BitDustError("too-many-friends", f"a list of friends has at most {MOST} of them")
            known.friends[who] = evolve(friend, edits=known.removed.pop(who, 0) + 1)
            return True
        alias = friend.alias or before.alias
        key = before.key if before.key == GIVEN or not friend.key else friend.key
        known.friends[who] = evolve(before, alias=alias, key=key, edits=before.edits + (alias != before.alias))
        return False


@frozen
class NoteGiven:
    """A friend has my person key; True when it is one."""

    fingerprint: bytes

    def apply(self, known: Known) -> bool:
        """Nothing is raised."""
        before = known.friends.get(self.fingerprint)
        if before is not None:
            known.friends[self.fingerprint] = evolve(before, key=GIVEN)
        return before is not None


@frozen
class Take:
    """Remove a friend; True when it was one."""

    fingerprint: bytes

    def apply(self, known: Known) -> bool:
        """Nothing is raised."""
        before = known.friends.pop(self.fingerprint, None)
        if before is not None:
            _mark(known, self.fingerprint, before.edits + 1)
        return before is not None


@frozen
class Call:
    """The person has chosen a nickname; True when it is another one."""

    nickname: str

    def apply(self, known: Known) -> bool:
        """Nothing is raised."""
        is_new = known.called.nickname != self.nickname
        if is_new:
            known.called = Called(self.nickname, known.called.edits + 1)
        return is_new


@frozen
class Join:
    """Take over what another list has that is newer; True when something was."""

    other: Known

    def apply(self, known: Known) -> bool:
        """Friends for whom there is no room stay out; nothing is raised."""
        before = known.copy()
        known.called = known.called.joined(self.other.called)
        for friend in self.other.friends.values():
            self._add(known, friend)
        for who, edits in self.other.removed.items():
            mine = known.friends.get(who)
            counted = min(edits, (mine.edits if mine is not None else known.removed.get(who, 0)) + MOST_AHEAD)
            if mine is not None and counted > mine.edits:
                del known.friends[who]
                _mark(known, who, counted)
            elif mine is None and counted > known.removed.get(who, 0):
                _mark(known, who, counted)
        return known != before

    @staticmethod
    def _add(known: Known, friend: Friend) -> None:
        who = friend.fingerprint
        mine, marked = known.friends.get(who), known.removed.get(who, 0)
        near = evolve(friend, edits=min(friend.edits, (mine.edits if mine is not None else marked) + MOST_AHEAD))
        if mine is not None:
            known.friends[who] = mine.joined(near)
        elif near.edits >= marked and len(known.friends) < MOST:
            known.removed.pop(who, None)
            known.friends[who] = near


def _mark(known: Known, who: bytes, edits: int) -> None:
    known.removed.pop(who, None)
    known.removed[who] = edits
    while len(known.removed) > MOST_REMOVED:
        del known.removed[next(iter(known.removed))]


Change = Put | Take | NoteGiven | Call | Join


class FriendsBook:
    """I know who is a friend; a change counts when it is on the disk."""

    log = Logger()

    def __init__(self, path: Path, run_in_thread: "Callable[..., Deferred[Any]]") -> None:
        self._path = path
        self._run_in_thread = run_in_thread
        self._changes: Batcher[Change] = Batcher(self._apply, MOST_CHANGES)
        self._all = Known()
        self.problem = ""
        """Why the list cannot be read; empty when all is well."""

    @property
    def known(self) -> dict[bytes, Friend]:
        """Who is a friend, by fingerprint."""
        return self._all.friends

    @property
    def called(self) -> Called:
        """Which nickname the person has chosen."""
        return self._all.called

    def written(self) -> bytes:
        """The whole list, as other devices join it."""
        return _written(self._all)

    def load(self) -> None:
        """Read the file."""
        self._all, self.problem = Known(), ""
        try:
            self._all = read(self._path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self.problem = f"{self._path} cannot be read ({error}); bring it back from a copy, or move it away"
            self.log.warn("{problem}", problem=self.problem)

    def change(self, change: "Change") -> "Deferred[bool]":
        """Fires when it is on the disk. Fails with ``damaged-friends``, ``too-many-friends`` or `OSError`."""
        return self._changes.put(change)

    async def _apply(self, changes: "list[Change]") -> list[bool | BitDustError]:
        if self.problem:
            raise BitDustError("damaged-friends", self.problem)
        known = self._all.copy()
        results: list[bool | BitDustError] = []
        for change in changes:
            try:
                results.append(change.apply(known))
            except BitDustError as error:
                results.append(error)
        if known != self._all:
            await self._run_in_thread(write_safely, self._path, _written(known))
            self._all = known
        return results


def read(data: bytes) -> Known:
    """A list as `FriendsBook.written` gives it. Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError`."""
    if len(data) > MAX_FILE:
        raise ValueError(f"{len(data)} bytes")
    value = json.loads(data)
    if value["version"] not in range(OLDEST, VERSION + 1):
        raise ValueError(f"its version is {value['version']!r}, not {VERSION}")
    friends = {}
    for one in value["friends"]:
        key = str(one.get("key", ""))
        edits = int(one.get("edits", 1))
        friend = Friend(_who(one), str(one["alias"])[:MAX_ALIAS], int(one["since"]), key if key in _KEYS else "", edits)
        friends[friend.fingerprint] = friend
    removed = {_who(one): int(one["edits"]) for one in value.get("removed", ())}
    if len(friends) > MOST or len(removed) > MOST_REMOVED:
        raise ValueError("it has too many entries")
    return Known(friends, removed, _called(value.get("nickname")))


def _called(one: dict[str, Any] | None) -> Called:
    if one is None:
        return Called()
    nickname = str(one["name"])
    if nickname and not (is_nickname(nickname) and nickname == nickname.strip().lower()):
        raise ValueError("the nickname in it is none")
    return Called(nickname, int(one["edits"]))


def _who(one: dict[str, Any]) -> bytes:
    fingerprint = bytes.fromhex(one["who"])
    if len(fingerprint) != 32:
        raise ValueError("somebody in it has no fingerprint")
    return fingerprint


def _written(known: Known) -> bytes:
    friends = [
        {"who": one.fingerprint.hex(), "alias": one.alias, "since": one.since, "edits": one.edits}
        | ({"key": one.key} if one.key else {})
        for one in known.friends.values()
    ]
    removed = [{"who": who.hex(), "edits": edits} for who, edits in known.removed.items()]
    called = known.called
    nickname = {"nickname": {"name": called.nickname, "edits": called.edits}} if called.edits else {}
    return json.dumps({"version": VERSION, "friends": friends, "removed": removed} | nickname, indent=1).encode()
