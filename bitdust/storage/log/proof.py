"""Entries that a supplier gives, as far as it shows that they lead to a head which a device has signed.

Whoever knows a storage secret can make up entries that follow each other: a reader of a share, a device that was
revoked. So none counts before the chain from it to such a head was seen. Until then entries are in memory; where that
gets too much it is noted where they were, and what has led to the head is fetched once more.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from bitdust.formats.log_entry import Entry, Link, LogName, chain_of
from bitdust.outcome import outcome
from bitdust.storage.catalog.catalog import LogEnd
from bitdust.storage.log.seen import SeenHead
from bitdust.wire.encoding import WireError

Fetch = Callable[[bytes, LogName, int], "Deferred[list[bytes]]"]
MOST_KEPT = 32 * 1024 * 1024
"""Bytes of entries in memory that are not proven yet."""
MOST_UNREADABLE = 2 * MOST_KEPT
"""Bytes of entries that nobody can open, on the way to a head: who knows no secret keeps nobody busy with more."""


@frozen
class Goal:
    """Up to which entry a log is wanted, by sequence the hashes that count as signed, and which of these entries have
    to be as they were signed: other hashes a stolen device may have signed, and they lead nowhere."""

    log: LogName
    wanted: int
    signed: Mapping[int, set[bytes]]
    binding: frozenset[int]
    is_proven: bool = True
    is_common: bool = False
    """Whether most of those name the entry who list any: then nothing else leads to it."""

    @classmethod
    def by(cls, one: SeenHead, heads: Iterable[SeenHead]) -> "Goal":
        """As far as ``one`` leads: what lower ones lead to counts also where the rest is not given.

        One that is not proven shows something of what it leads to, and nothing where a proven one says otherwise: if it
        was signed in place of the log's device, at any entry, as whoever signed it counts no more and may be a thief.
        """
        signed = dict[int, set[bytes]]()
        of_log = [seen for seen in heads if seen.head.scope == one.head.scope and seen.end]
        for seen in of_log:
            if seen.proven and seen.end <= one.end:
                signed.setdefault(seen.end, set()).add(seen.head.hash)
        proven = frozenset(signed)
        for seen in of_log if not one.proven else ():
            is_alike = not seen.proven and seen.end == one.end and seen.is_own == one.is_own
            if is_alike and seen.head.sequence not in proven:
                signed.setdefault(seen.head.sequence, set()).add(seen.head.hash)
        binding = frozenset({one.end} & signed.keys()) if one.proven or one.is_own else proven
        return cls(LogName(one.head.owner, one.head.scope, one.head.device), one.end, signed, binding, one.proven)


LONGEST_PAUSE = 3600.0
"""Seconds without anything new after which nobody waits any more for what most list of a log, and fail to give."""
LONGEST_WAIT = 86_400.0
"""Seconds without an entry in the catalog after which nobody does, whatever comes of it: it may lead to nothing."""


@define
class _Wait:
    """For a log that has come up to ``end``; ``reached``: how far walks have come behind that."""

    end: int
    since: float
    reached: object
    moved: float
    last: float


@define
class Waits:
    """How long what most suppliers list of logs is waited for, while they fail to give it and another one may give what
    contradicts it: not for ever, as they may be those that lie. ``now`` gives seconds of the reactor's clock.

    Over a slow line nothing of a long log is proven before all of it was walked. So each step of a walk puts the end of
    the wait off by `LONGEST_PAUSE`, and none beyond `LONGEST_WAIT`: who lies can give steps as well, and nothing more.
    """

    now: Callable[[], float] = lambda: 0.0
    _waits: dict[LogName, _Wait] = field(factory=dict)

    def once_more(self, log: LogName, end: int, reached: object) -> bool:
        """Whether to wait for a log that has come up to the entry ``end``, and of which so much was ``reached``."""
        now = self.now()
        wait = self._waits.get(log)
        if wait is None or wait.end != end or now - wait.last >= LONGEST_PAUSE:
            wait = self._waits[log] = _Wait(end, now, reached, now, now)
        if wait.reached != reached:
            wait.reached, wait.moved = reached, now
        wait.last = now
        return now - wait.moved < LONGEST_PAUSE and now - wait.since < LONGEST_WAIT


Place = tuple[int, LogEnd]
"""An entry of a log, and what is known before it."""


@define
class Noted:
    """What walks have seen of logs, in memory, so that one that was cut off is gone on with later.

    ``cut``: by holder and log, and then by where a walk began, of which there are two at most: from where on nothing
    was proven, and parts that follow. One log may be walked along from its snapshot, and from what is here. ``shown``:
    by log what was proven and is to be fetched once more, from whoever has it, and whether that led to a common head:
    who goes there counts nothing that led elsewhere. ``waits``: for what nobody gives since when.
    """

    cut: dict[tuple[bytes, LogName], dict[Place, tuple[Place, list[LogEnd]]]] = field(factory=dict)
    shown: dict[tuple[LogName, bool], dict[int, bytes]] = field(factory=dict)
    waits: Waits = field(factory=Waits)

    def note_cut(self, whose: tuple[bytes, LogName], origin: Place, begin: Place, notes: list[LogEnd]) -> None:
        """A walk was cut off; of those that began elsewhere the latest stays."""
        former = [one for one in self.cut.get(whose, {}).items() if one[0] != origin]
        self.cut[whose] = {**dict(former[-1:]), origin: (begin, notes)}

    def keep(self, holders: Collection[bytes]) -> None:
        """Forget where walks of all others were cut off: nobody asks them any more."""
        self.cut = {whose: walks for whose, walks in self.cut.items() if whose[0] in holders}

    def reached(self, log: LogName) -> object:
        """How far walks along a log have come, by holder and by where they began; another value for other ways."""
        cut = [(holder, walks) for (holder, of), walks in self.cut.items() if of == log]
        return {(holder, origin[0]): notes[-1] for holder, walks in cut for origin, (_, notes) in walks.items()}

    def shown_from(self, goal: "Goal", first: int) -> dict[int, bytes]:
        """Hashes of entries from ``first`` on, on the way to such a head. There is one for each part of a log that is
        too large to be kept; another walk may need what is before."""
        shown = self.shown.get((goal.log, goal.is_common), {})
        return {sequence: digest for sequence, digest in shown.items() if sequence >= first}


class Walk:
    """I go along a log as one supplier gives it, and hand on what is proven.

    ``start`` is the entry to begin with, and what is known of the log. ``opens`` says whether an entry can be opened
    here. ``noted`` is what former walks have left behind.
    """

    log = Logger()

    def __init__(
        self,
        fetch: Fetch,
        holder: bytes,
        goal: Goal,
        start: Place,
        opens: Callable[[Entry], bool],
        noted: Noted | None = None,
    ) -> None:
        self._fetch = partial(fetch, holder, goal.log)
        self._goal = goal
        self._signed = {sequence: set(hashes) for sequence, hashes in goal.signed.items()}
        self._last = max(self._signed, default=0)
        self._opens = opens
        self._begin = self._next = self._origin = start
        """From where on nothing is proven, and what is asked for next: an entry, and what is known before it."""
        self._kept: list[Link] = []
        self._notes: list[LogEnd] = []
        self._shown = 0
        """What is fetched once more: up to here it has led to a head."""
        self._unreadable = 0
        self.was_cut = False
        """Whether the supplier has failed to answer, so that it may give more another time."""
        self._noted, self._whose = noted or Noted(), (holder, goal.log)
        self._go_on()

    def _go_on(self) -> None:
        for sequence, digest in self._noted.shown_from(self._goal, self.position).items():
            if sequence <= self._goal.wanted:
                self._signed.setdefault(sequence, set()).add(digest)
        begin, notes = self._noted.cut.get(self._whose, {}).pop(self._origin, (self._begin, []))
        # What a head leads to that was not known then is taken first.
        is_open = bool(notes) and not any(begin[0] <= one <= notes[-1].sequence for one in self._signed)
        if is_open:
            self._begin, self._notes = begin, notes
            self._next = (notes[-1].sequence + 1, notes[-1])

    def _is_cut(self) -> None:
        notes = [*self._notes, *([self._next[1]] if self._kept else [])]
        if notes and self.position > self._shown:
            self._noted.note_cut(self._whose, self._origin, self._begin, notes)

    @property
    def position(self) -> int:
        """The entry that is asked for next."""
        return self._next[0]

    async def more(self) -> list[Link]:
        """The next entries that are proven, in their order; none where no more are. Raises `WireError`."""
        while self.position <= self._last:
            links = await self._ask()
            if not links:
                break
            self._kept += links
            proven = next((one for one in reversed(links) if one.hash in self._signed.get(one.sequence, ())), None)
            if proven is not None and self._notes:
                self._once_more(proven)
            elif proven is not None:
                return self._handed_on(proven)
            elif not self._has_room():
                break
        return []

    async def _ask(self) -> list[Link]:
        first, after = self._next
        try:
            got = await outcome(self._fetch(first))
        except CancelledError:  # who compares has a limit, and goes on the next time
            self._is_cut()
            raise
        if got.error is not None:
            self.was_cut = True
            self._is_cut()
        if got.error is not None or not got.value:
            return []
        links = chain_of(got.value, self._goal.log)
        start = links[0]
        if start.sequence < first:
            raise WireError("broken-chain", f"entry {start.sequence} in place of entry {first}")
        if after.sequence and start.sequence == after.sequence + 1 and start.previous != after.hash:
            raise WireError("broken-chain", f"entry {start.sequence} does not follow what is known")
        if start.sequence > first and (self._kept or self._notes):
            self._kept, self._notes = [], []
        if not self._kept and not self._notes:
            self._begin = (start.sequence, after if start.sequence == after.sequence + 1 else LogEnd())
        return self._checked(links)

    def _checked(self, links: list[Link]) -> list[Link]:
        """Without those from one on that is not what was signed, where it has to be: nothing of them counts."""
        for number, one in enumerate(links):
            if one.sequence in self._goal.binding and one.hash not in self._signed[one.sequence]:
                self.log.warn("entry {at} is not the one that a device of the owner has signed", at=one.sequence)
                links, self._last = links[:number], one.sequence - 1
                break
        if links:
            self._next = (links[-1].sequence + 1, LogEnd(links[-1].sequence, links[-1].hash))
        return links if self._is_readable(links) else []

    def _is_readable(self, links: list[Link]) -> bool:
        last = links[-1].entry if links else None
        is_open = last is not None and self._opens(last)
        self._unreadable = 0 if is_open else self._unreadable + sum(one.size for one in links)
        return self._unreadable <= MOST_UNREADABLE

    def _handed_on(self, proven: Link) -> list[Link]:
        found = [one for one in self._kept if one.sequence <= min(proven.sequence, self._goal.wanted)]
        self._kept = [one for one in self._kept if one.sequence > proven.sequence]
        self._begin = self._origin = (proven.sequence + 1, LogEnd(proven.sequence, proven.hash))
        if proven.sequence >= self._goal.wanted:
            self._last = 0
        return found

    def _has_room(self) -> bool:
        """Forgets what gets too much, but where it was; False where what is fetched once more is not the same."""
        size = sum(one.size for one in self._kept)
        if self.position <= self._shown:
            return size <= 2 * MOST_KEPT
        if size > MOST_KEPT:
            self._notes.append(self._next[1])
            self._kept = []
        return True

    def _once_more(self, proven: Link) -> None:
        for note in self._notes:
            self._signed.setdefault(note.sequence, set()).add(note.hash)
        if self._goal.is_proven:
            shown = self._noted.shown.setdefault((self._goal.log, self._goal.is_common), {})
            shown.update((one.sequence, one.hash) for one in self._notes)
        self._shown, self._notes, self._kept = proven.sequence, [], []
        self._next = self._begin
