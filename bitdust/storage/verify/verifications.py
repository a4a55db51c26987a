"""All verifications of this node that run; a restart forgets them, because they change nothing."""

from typing import Protocol

from bitdust.storage.catalog.paths import Item, Target
from bitdust.storage.catalogs import need_mine
from bitdust.storage.jobs import Row
from bitdust.storage.verify.verification import Secrets, Verification, VerifyOrder, VerifyParts
from bitdust.wire.errors import BitDustError

MOST_AT_ONCE = 16


class Namer(Protocol):
    """Gives the fields that every answer about an item, or about all items of a key, has."""

    def names_of(self, item: Item, /) -> Row: ...

    def names_of_all(self, key: str, /) -> Row: ...


class Verifications:
    """I start them at once, several beside each other."""

    def __init__(self, parts: VerifyParts, owner: Secrets, namer: Namer) -> None:
        self._parts = parts
        self._owner = owner
        self._namer = namer
        self._events = parts.around.events
        self._running: dict[int, Verification] = {}
        self._numbers = 0

    def start(self, target: Target, full: bool) -> Verification:
        """Begin to prove that an item, a version of it, or all of a key's catalog can come back.

        Raises `BitDustError` ``already-scheduled``, ``busy``, ``not-allowed``.
        """
        need_mine(target.owner, target.item.text if target.item is not None else "this")
        for one in self._running.values():
            if one.target == target and one.full == full:
                raise BitDustError("already-scheduled", f"verifying {one.shown} is under way already")
        if len(self._running) >= MOST_AT_ONCE:
            raise BitDustError("busy", f"{MOST_AT_ONCE} verifications run already; wait for one of them")
        namer = self._namer
        names = namer.names_of(target.item) if target.item is not None else namer.names_of_all(target.key)
        self._numbers += 1
        order = VerifyOrder(self._numbers, target, full, self._parts.around.world.wall(), names)
        one = self._running[order.number] = Verification(self._parts, self._owner, order, self._ended)
        one.start()
        return one

    def _ended(self, one: Verification) -> None:
        self._running.pop(one.number, None)
        if one.machine.state == "DONE":
            found = one.verdict
            shown = ("backup_id", "remote_path", "verified", "full", "packs", "packs_lost", "pieces_missing")
            self._events.send("file-verified", {name: found[name] for name in shown})

    def rows(self) -> list[Row]:
        """Those that run."""
        return [one.row() for one in self._running.values()]

    def stop_some(self, target: Target) -> list[Row]:
        """Give up those of an item, or of a version; what was stopped. Raises `BitDustError` ``not-found``."""
        stopped = [
            one
            for one in self._running.values()
            if one.target.item == target.item and target.version in (None, one.target.version)
        ]
        if not stopped:
            raise BitDustError("not-found", "no verification of this runs")
        for one in stopped:
            one.stop()
        return [{"backup_id": one.describe()["backup_id"], "aborted": True} for one in stopped]

    def stop(self) -> None:
        """The storage stops."""
        for one in list(self._running.values()):
            one.suspend()
