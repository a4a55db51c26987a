"""The family as it was before another device of mine put others in the places of my suppliers.

That device may have been stolen. All follow the newest record, so the one before is remembered for thirty days: where
so many have lost their places that nothing could be put together without them, nobody of them is let go for two days,
and a revocation of that device gives them their places back.
"""

import json
from collections.abc import Callable
from pathlib import Path

from attrs import asdict, frozen

from bitdust.crypt.files import write_safely
from bitdust.suppliers.family_merge import Places, SizeChange, in_turn, with_last
from bitdust.wire.records import MAX_SUPPLIERS, Family
from bitdust.wire.signed import Signed

MAX_RECORD = 32 * 1024
DAY = 86_400
DAYS = 30
HELD_DAYS = 2
MOST = 8
"""Devices of which something is remembered."""


@frozen
class Before:
    """A device, when it first took somebody's place, in seconds since the epoch, and the record before that, in hex."""

    device: str
    time: int
    record: str

    def family(self) -> Family | None:
        """None for one that cannot be read."""
        return family_of(self.record)


class FamilyBefore:
    """What is on the disk; a file that cannot be read counts for nothing."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        self._path = path
        self._wall = wall

    def note(self, mine: Signed, device: bytes) -> None:
        """A device takes somebody's place in my record; what it did first counts. Raises `OSError`."""
        known = self._read()
        if all(one.device != device.hex() for one in known):
            self._write([Before(device.hex(), int(self._wall()), mine.to_bytes().hex()), *known])

    def devices(self) -> list[bytes]:
        """Those of which something is remembered."""
        return [bytes.fromhex(one.device) for one in self._read()]

    def of(self, device: bytes) -> Family | None:
        """The family before a device changed it of late."""
        found = next((one for one in self._read() if one.device == device.hex()), None)
        return found.family() if found is not None else None

    def forget(self, device: bytes) -> None:
        """It is of no interest any more. Raises `OSError`."""
        known = self._read()
        left = [one for one in known if one.device != device.hex()]
        if left != known:
            self._write(left)

    def is_doubtful(self, now: Family) -> bool:
        """Whether too many have lost their places by another device in the last two days."""
        after = self._wall() - HELD_DAYS * DAY
        recent = [one.family() for one in self._read() if one.time > after]
        return any(is_overthrown(before, now) for before in recent if before is not None)

    def _read(self) -> list[Before]:
        try:
            found = [Before(**one) for one in json.loads(self._path.read_bytes())]
            return [one for one in found if bytes.fromhex(one.device) and one.time > self._wall() - DAYS * DAY]
        except (OSError, ValueError, TypeError):
            return []

    def _write(self, known: list[Before]) -> None:
        write_safely(self._path, json.dumps([asdict(one) for one in known[:MOST]]).encode())


def family_of(record: str) -> Family | None:
    """What a signed record in hex says; None for one that cannot be read."""
    try:
        return Family.from_body(Signed.from_bytes(bytes.fromhex(record), Family.KIND, MAX_RECORD).body)
    except ValueError:
        return None


def is_overthrown(before: Family, now: Family) -> bool:
    """Whether what is left of the former members could not give anything back."""
    left = [who for who in before.suppliers if who is not None and who in now.suppliers]
    members = [who for who in before.suppliers if who is not None]
    return len(left) < min(before.k, len(members))


def given_back(before: Family, now: Family, is_awaited: Callable[[bytes], bool]) -> Places:
    """The places where the former ones have theirs again. Who left one then leaves it first, then who has it now, and
    those last who leave it now: they hold what was stored since.

    For whomever there is no place to leave there is one of the last places beyond them: first for those who are awaited
    for another life. The others may be made up, and leave half of all places to whoever is hired.
    """
    ours = Places.of(before)
    has = [(place, who) for place, who in enumerate(now.suppliers[: before.n]) if who is not None]
    leaves = [(place, who) for place in range(min(before.n, now.n)) for who in now.leavers(place)]
    leaving, also = in_turn(ours.suppliers, ours.leaving, [*ours.also, *has, *leaves])
    there = {*before.seats, *leaving, *(who for _, who in also)}
    further = sorted((who for who in now.holders if who not in there), key=lambda who: not is_awaited(who))
    sizes = [size for size in (before.former, now.former) if size is not None]
    sizes += [before.n, now.n] if further or before.n != now.n else []
    beyond = with_last(before, further[: MAX_SUPPLIERS // 2])
    change = SizeChange(before.wanted, beyond, min(sizes, default=None))
    return Places(ours.suppliers, ours.addresses, leaving, change, also)
