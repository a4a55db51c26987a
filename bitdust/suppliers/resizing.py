"""Another number of suppliers while pieces are stored (``services/customer/suppliers-number``).

1. What is wanted is written into the family record, so that every device of mine and every recovery knows.
2. Where more suppliers are wanted they are hired for places beyond the family, and get the logs and the key ring like
   its members. Until all of them are there, everything goes on under the family as it is.
3. When enough suppliers of the wanted family hold record, logs and key ring, the family has the new size. Whoever lost
   its place stands beyond the family and keeps what it has.
4. The storage moves packs to the new scheme. When none of another size is left, and the log that says so is safe, those
   beyond the family are taken out of the record, and their contracts are ended with my signed word. Packs that
   can be had from nowhere for a month are left out: who may have pieces of them stays beyond the family.

Each step follows from the record and from the catalog alone. A place is the same in all sizes, so the next step, or the
way back, may begin before the former one has come to its end.
"""

import hashlib
from collections.abc import Callable
from typing import Protocol

from twisted.logger import Logger

from bitdust.automats.family_resize import FamilyResize
from bitdust.crypt.files import write_safely
from bitdust.identity.awaited import FAMILY
from bitdust.peers.shown import Names, show_name
from bitdust.signal import Signal
from bitdust.suppliers.again import Again
from bitdust.suppliers.connectors import SUPPLIERS
from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.life import Reading
from bitdust.suppliers.membership import Membership
from bitdust.suppliers.publication import FamilyPublication
from bitdust.surroundings import Connected
from bitdust.wire.records import Family, Scheme
from bitdust.wiring import Wire

FOLLOWED = "family.followed"
DIGEST = 32


class StoredPacks(Reading, Protocol):
    """What is stored, as a change of size needs it."""

    def has_data(self) -> bool:
        """Whether pieces of mine may be stored at suppliers; unknown counts as yes."""

    def is_logged_at(self, supplier: bytes, /) -> bool:
        """Whether a supplier holds all my logs, and my key ring."""

    def is_resized(self, since: float | None, /) -> bool:
        """Whether no pack of another size than the family's is to be moved, the log that says so is safe, and no other
        device of mine may have been uploading for another size since a moment; None where nobody is to go."""

    def left_out(self) -> int:
        """At how many places, with those beyond the family, somebody may have pieces that a change of size has to go on
        without; 0 where there are none, and while others are to be moved."""

    def is_whole(self) -> bool:
        """Whether no piece lacks anywhere, of those that can come back at all."""


class Resizing:
    """I am the port of `family_resize`, from `start` to `stop`; ``searching`` asks for suppliers for places to come."""

    log = Logger()
    packs = Wire(StoredPacks)

    def __init__(self, around: Connected, family: MyFamily, book: ContractBook, publication: FamilyPublication) -> None:
        self._registry = around.registry
        self._settings = around.settings
        self._events = around.events
        self._identities = around.identities
        self._me = around.me
        self._family = family
        self._book = book
        self._publication = publication
        self._membership = Membership(around, family)
        self._machine: FamilyResize | None = None
        self._remove: Callable[[], None] = lambda: None
        self._path = around.world.home / "metadata" / FOLLOWED
        self._followed: bytes | None = None
        """The digest of the last record that was looked at; one of another device is on the disk too."""
        self._again = Again(around.world.clock, self.want)
        self.searching: Signal[[bool]] = Signal()
        family.changed.connect(self.update)
        publication.acknowledged.connect(lambda supplier: self.update())

    def start(self) -> None:
        """Go on wherever the record says."""
        if self._machine is None:
            self._machine = FamilyResize(self._registry, self)
            self._remove = self._settings.on_change(SUPPLIERS, lambda key, old, new: self.want())
            self.follow_record()
            self.want()

    def stop(self) -> None:
        """Change nothing any more; what is on the disk stays."""
        self._again.stop()
        if self._machine is not None:
            self._remove()
        machine, self._machine = self._machine, None
        if machine is not None:
            machine.send("shutdown")

    @property
    def state(self) -> str:
        """How far a change has come; empty where there is none."""
        machine = self._machine
        return machine.state if machine is not None and machine.state != "STEADY" else ""

    def update(self) -> None:
        """The record, or what others know of it, has changed."""
        if self._machine is None:
            return
        self.follow_record()
        if not self._me.awaits(FAMILY):
            self._machine.send("check")

    def follow_record(self) -> None:
        """Where another device of mine wrote the record, or it was searched for, what it wants counts, until somebody
        changes the setting. That stays so when this node dies before the record says it too."""
        family, signed = self._family.current, self._family.signed
        if family is None or signed is None:
            return
        digest = hashlib.sha256(signed.to_bytes()).digest()
        if digest == self._known_record():
            return
        self._followed = digest
        if signed.device == self._me.device.id and not self._me.awaits(FAMILY):
            return
        if int(self._settings.get(SUPPLIERS)) != family.size_to_come:
            self._settings.set(SUPPLIERS, family.size_to_come)
        try:
            write_safely(self._path, digest)
        except OSError as error:
            self.log.warn("the next start follows the family record again: {why}", why=error)

    def _known_record(self) -> bytes:
        if self._followed is None:
            try:
                with self._path.open("rb") as stream:
                    self._followed = stream.read(DIGEST)
            except OSError:
                self._followed = b""
        return self._followed

    def want(self) -> None:
        """What the settings want goes into the record, where pieces are stored; where none are `Hiring` sees to it."""
        try:
            self._want()
        except OSError as error:
            self._again.after(error)

    def _want(self) -> None:
        family, wanted = self._family.current, int(self._settings.get(SUPPLIERS))
        if self._machine is None or family is None:
            return
        if family.size_to_come != wanted and not self._me.awaits(FAMILY) and self.packs.has_data():
            self._membership.want(wanted)
            data = {"suppliers": family.n, "wanted": wanted}
            self._events.send("suppliers-number-wanted", data)
        self.update()

    # what hiring asks

    def vacancies(self) -> list[int]:
        """Places beyond the family that are to come and that nobody has."""
        family = self._family.current
        if family is None:
            return []
        seats = family.seats
        return [place for place in range(family.n, family.size_to_come) if place >= len(seats) or seats[place] is None]

    def to_come(self) -> list[bytes]:
        """Who was hired for a place to come and cannot hold anything yet."""
        family = self._family.current
        if family is None or family.former is not None:
            return []
        return [who for who in (family.beyond or [])[: max(0, family.size_to_come - family.n)] if who is not None]

    # the port of family_resize

    def is_hiring(self) -> bool:
        family = self._family.current
        return family is not None and family.wanted is not None and None in self._wanted_seats(family)

    def _wanted_seats(self, family: Family) -> list[bytes | None]:
        n = family.size_to_come
        return [*family.seats, *[None] * n][:n]

    def is_wanted(self) -> bool:
        family = self._family.current
        return family is not None and family.wanted is not None

    def is_ready(self) -> bool:
        return not self._lacking()

    def _lacking(self) -> str:
        """Why the family cannot have the wanted size yet."""
        family = self._family.current
        if family is None or family.leaving is not None:
            return "a place changes hands; the number changes after that"
        n = family.size_to_come
        needed = n - Scheme.for_family(n).k + 1
        held = sum(1 for who in self._wanted_seats(family) if who is not None and self._is_prepared(who))
        if held >= needed:
            return ""
        return f"{held} of the {n} suppliers hold the catalog's log and the key ring; {needed} are needed"

    def _is_prepared(self, supplier: bytes) -> bool:
        return self._publication.is_held_by(supplier) and self.packs.is_logged_at(supplier)

    def is_moving(self) -> bool:
        family = self._family.current
        return family is not None and (family.former is not None or bool(family.beyond))

    def is_resting(self) -> bool:
        family, kept = self._family.current, self.packs.left_out()
        if family is None or not kept or any(who is not None for _, who in self._going(family, kept)):
            return False
        return any(family.seats[family.size_to_come :])

    def is_over(self) -> bool:
        family = self._family.current
        if family is None or self._family.has_unread(self.packs):
            return False
        gone = [who for _, who in self._going(family, self.packs.left_out()) if who is not None]
        if any(self._family.is_unlisted(who, self.packs) for who in gone) and not self.packs.is_whole():
            return False
        return self.packs.is_resized(family.time if family.beyond else None) and self._publication.is_safe()

    def _going(self, family: Family, kept: int) -> list[tuple[int, bytes | None]]:
        """Places beyond the family that are not to come, but for the first ones of all that are ``kept``."""
        return [*enumerate(family.seats)][max(family.size_to_come, kept) :]

    def search(self) -> None:
        self.searching.emit(False)

    def publish(self) -> None:
        self._publication.update()

    def resize(self) -> None:
        family = self._family.current
        if family is not None and family.wanted is not None:
            try:
                self._membership.resize(family.wanted)
            except OSError as error:
                self._again.after(error)
                return
            self._events.send("suppliers-number-changed", {"former": family.n, "suppliers": family.wanted})

    def end(self) -> None:
        family = self._family.current
        if family is None:
            return
        kept = self.packs.left_out()
        gone = self._going(family, kept)
        try:
            self._family.note_read(self.packs)
            for _, who in gone:
                if who is not None and not self._family.waits_for(who):
                    self._book.release(who)
            self._membership.end_change(kept)
        except OSError as error:
            self._again.after(error)
            return
        for position, who in gone:
            if who is not None:
                idurl, name = Names.of(self._identities, who).idurl, show_name(self._identities, who)
                self._events.send("supplier-dismissed", {"idurl": idurl, "global_id": name, "position": position})

    # in words

    def reason(self) -> str:
        """What is being done about another number of suppliers, and what it waits for; empty where nothing is."""
        family = self._family.current
        if family is None or not family.is_changing:
            return ""
        if family.wanted is not None:
            todo = f"{family.wanted} suppliers are wanted and {family.n} keep your files"
            vacant = self._wanted_seats(family).count(None)
            if vacant:
                return f"{todo}: {vacant} more are being looked for, and everything goes on as it is until then"
            return f"{todo}: {self._lacking() or 'the number changes now'}"
        if self.state == "KEEPING":
            return f"your files are coded for {family.n} suppliers, but for some of which too few pieces can be had"
        return f"your files are being coded for {family.n} suppliers in the background, and are safe meanwhile"
