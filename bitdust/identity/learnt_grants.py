"""Who let somebody in: grants of my keys that another device of mine brought, remembered for thirty days.

Whoever stole a device lets in whom it likes, and every other device would go on to bring them what is new, long after
that one was revoked. What each device learnt at first hand is in its ``metadata/grants``, so that one of them knows.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import asdict, evolve, frozen

from bitdust.crypt.files import write_safely
from bitdust.crypt.keyring import KeyRing, RingKey
from bitdust.crypt.shares import Grant, united_grants

FILE = "grants"
DAYS = 30
MOST = 10_000


@frozen
class Learnt:
    """A grant, the device that brought it, both in hex, and when, in seconds since the epoch."""

    alias: str
    grant: str
    device: str
    time: int


class LearntGrants:
    """What is on the disk; one that cannot be read counts for nothing."""

    def __init__(self, folder: Path, wall: Callable[[], float]) -> None:
        self._path = folder / FILE
        self._wall = wall

    def note(self, mine: KeyRing, theirs: KeyRing, device: bytes) -> None:
        """A device brings a ring, in which there may be grants that are not in mine, or that give more there.

        Raises `OSError`.
        """
        now = int(self._wall())
        found = [(key.key_id, one) for key in theirs.keys.values() for one in _news_of(mine.keys.get(key.key_id), key)]
        if found:
            kept = [one for one in self._read() if one.time > now - DAYS * 86_400]
            known = {(one.alias, one.grant, one.device) for one in kept}
            news = [Learnt(alias, grant.id.hex(), device.hex(), now) for alias, grant in found]
            news = [one for one in news if (one.alias, one.grant, one.device) not in known]
            if news:
                self._write([*news, *kept])

    def of(self, device: bytes) -> list[tuple[str, bytes]]:
        """Key and id of what a device has brought of late."""
        after = self._wall() - DAYS * 86_400
        found = [one for one in self._read() if one.device == device.hex() and one.time > after]
        return [(one.alias, bytes.fromhex(one.grant)) for one in found]

    def forget(self, device: bytes) -> None:
        """It is of no interest any more what that one has brought. Raises `OSError`."""
        self._leave_out(lambda one: one.device == device.hex())

    def confirm(self, alias: str, grant: bytes) -> None:
        """The person has given it here as well, whoever brought it. Raises `OSError`."""
        self._leave_out(lambda one: (one.alias, one.grant) == (alias, grant.hex()))

    def _leave_out(self, is_one: Callable[[Learnt], bool]) -> None:
        known = self._read()
        left = [one for one in known if not is_one(one)]
        if left != known:
            self._write(left)

    def _read(self) -> list[Learnt]:
        try:
            return [Learnt(**one) for one in json.loads(self._path.read_bytes())]
        except (OSError, ValueError, TypeError):
            return []

    def _write(self, learnt: list[Learnt]) -> None:
        write_safely(self._path, json.dumps([asdict(one) for one in learnt[:MOST]]).encode())


def _news_of(mine: RingKey | None, theirs: RingKey) -> Iterator[Grant]:
    """Grants that are other ones when both are united. Every device moves the end of one that goes on: no news."""
    before = [_given(one) for one in mine.grants] if mine is not None else []
    for grant in united_grants(mine.grants if mine is not None else (), theirs.grants):
        if not grant.revoked and _given(grant) not in before:
            yield grant


def _given(grant: Grant) -> Grant:
    """Without what each device adds as it learns it."""
    return evolve(grant, ends=0, since=0, devices=frozenset(), cut=None)
