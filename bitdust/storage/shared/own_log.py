"""Whether what this device has written into a share of another owner is known here, after all was read anew.

Until it is, pieces that wait here may be of what nobody knows yet, and what is written would stand where something else
stands at suppliers. Whoever lists my log may not give it, now or ever: that is waited for as long as any entry may be
safe, and for a month of asking at most.
"""

import sqlite3
from collections.abc import Callable
from functools import partial

from twisted.internet.interfaces import IReactorTime

from bitdust.observed import time_between
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import RECOVERING, meta, set_meta
from bitdust.storage.log.compared import GUEST_WAIT
from bitdust.storage.log.outdated import come_back, is_unsorted
from bitdust.storage.log.seen import Heard
from bitdust.wire.records import Family, Head

UNREAD = "own-log-unread"
"""For how many seconds it was asked for, while it is not known."""
MOST_BETWEEN = 3600.0
"""Seconds between two comparisons that count: in a pause nobody was asked."""


def is_unread(database: sqlite3.Connection) -> bool:
    """Whether it may be that not all of this device's log is here."""
    return meta(database, RECOVERING) is not None or meta(database, UNREAD) is not None


class OwnLog:
    """I know whether the log of a device under a key is here; ``may_write`` says whether the owner lets it write, and
    ``is_person`` whether a head is of the same person's: this home may have been another device of these before."""

    def __init__(
        self,
        clock: IReactorTime,
        catalog: Catalog,
        place: tuple[str, bytes],
        may_write: Callable[[], bool],
        is_person: Callable[[Head], bool] = lambda head: False,
    ) -> None:
        self._is_person = is_person
        self._clock = clock
        self._catalog = catalog
        self._key, self._device = place
        self._may_write = may_write
        self._compared = clock.seconds()

    def why(self, key_id: str) -> str:
        """Why nothing is written, in words, where suppliers were asked for it; else nothing."""
        if not self._catalog.is_open or not self._may_write() or meta(self._catalog.read, RECOVERING) is not None:
            return ""
        waited = meta(self._catalog.read, UNREAD)
        if waited is None:
            return ""
        days = max(1, -((int(waited) - GUEST_WAIT) // 86_400))
        return (
            f"what this node wrote into {key_id} before, if anything, has not come back from its suppliers; nothing is"
            f" written into it until it has, for {days} days at most"
        )

    async def compared(self, heard: Heard, family: Family | None) -> None:
        """Suppliers have said what they hold, and all that they gave is here: what is known is written down."""
        now = self._clock.seconds()
        passed, self._compared = time_between(self._compared, now, MOST_BETWEEN), now
        is_said_read = not self._lacks_others(heard, family)
        if not is_unread(self._catalog.read):
            if is_said_read and is_unsorted(self._catalog.read) and not self._is_lacking(heard, family):
                await self._catalog.change(come_back)
            return
        waited = int(meta(self._catalog.read, UNREAD) or b"0")
        if self._is_lacking(heard, family):
            asked = passed if self._may_write() and meta(self._catalog.read, RECOVERING) is None else 0
            waited += int(asked)
            is_known = is_said_read = waited >= GUEST_WAIT
        else:
            is_known = True
        left = None if is_known else waited
        await self._catalog.change(partial(_note, waited=left, is_said_read=is_said_read))

    def _lacks_others(self, heard: Heard, family: Family | None) -> bool:
        """Whether something lacks of what this person has said as other devices."""
        heads = [seen.head for seen in heard.heads.get(self._key, ())]
        devices = {head.device for head in heads if head.device != self._device and self._is_person(head)}
        ends = {device: self._catalog.end(self._key, device).sequence for device in devices}
        return any(heard.may_be_safe(family, self._key, device, end + 1) for device, end in ends.items())

    def _is_lacking(self, heard: Heard, family: Family | None) -> bool:
        """Who may not write is shown no proof of heads: then each that is listed may be one."""
        end = self._catalog.end(self._key, self._device).sequence
        heads = heard.heads.get(self._key, ())
        listed = any(seen.head.device == self._device and seen.head.sequence > end for seen in heads)
        return (listed and not self._may_write()) or heard.may_be_safe(family, self._key, self._device, end + 1)


def _note(database: sqlite3.Connection, waited: int | None, is_said_read: bool) -> None:
    database.execute("DELETE FROM meta WHERE name IN (?, ?)", (RECOVERING, UNREAD))
    if waited is None:
        come_back(database, is_said_read)
    else:
        set_meta(database, UNREAD, b"%d" % waited)
