"""My family record: who holds my pieces. Every change is a new revision, signed, and on the disk before it is reported.

Another device of mine may write a record as well: the newer one counts, and two of one revision are joined.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from attrs import evolve
from twisted.logger import Logger

from bitdust.crypt.device import check_record
from bitdust.crypt.files import remove_safely, write_safely
from bitdust.identity.awaited import FAMILY
from bitdust.identity.document import Device
from bitdust.signal import Signal
from bitdust.suppliers.family_before import DAY, MAX_RECORD, FamilyBefore, given_back, is_overthrown
from bitdust.suppliers.family_merge import (
    Also,
    Places,
    SizeChange,
    also_of,
    beside,
    brings_strangers,
    can_stand,
    in_turn,
    is_joined,
    is_of_another_life,
    is_to_be_joined,
    merged,
)
from bitdust.suppliers.life import GUEST_DAYS, TERM, Reading, Unread
from bitdust.suppliers.other_lives import OtherLives
from bitdust.suppliers.roots import Roots
from bitdust.surroundings import Surroundings
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.mandate import Mandate
from bitdust.wire.records import Family, Scheme
from bitdust.wire.revisions import check_near
from bitdust.wire.signed import Signed

MAX_BODY = 3500
"""Bytes of a family that fit a DHT record with its signatures; beyond them its addresses are left out."""


class MyFamily:
    """I hold the newest revision; ``changed`` reports each one. A broken file raises in `load` and stays.

    A record that another device of mine made is `inherited`: pieces must be presumed to be stored there until `settle`
    says that the catalog is known. A marker file beside the record keeps this over restarts.
    """

    log = Logger()

    def __init__(self, around: Surroundings, path: Path) -> None:
        self._wall = around.world.wall
        self._me = around.me
        self._path = path
        self._marker = path.with_name(path.name + ".inherited")
        self._before = FamilyBefore(path.with_name(path.name + ".before"), around.world.wall)
        self._roots = Roots(path.with_name(path.name + ".roots"), around.me)
        self._others = OtherLives(path.with_name(path.name + ".others"))
        self.changed: Signal[[]] = Signal()
        self.current: Family | None = None
        self.signed: Signed | None = None

    def load(self) -> None:
        """Read the file. Raises `BitDustError` ``damaged-family``."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        try:
            self.signed = Signed.from_bytes(data, Family.KIND, MAX_RECORD)
            self.current = Family.from_body(self.signed.body)
        except WireError as error:
            text = f"{self._path} is damaged ({error}); move it away, and it is found again at the suppliers"
            raise BitDustError("damaged-family", text) from error

    @property
    def inherited(self) -> bool:
        """True while nobody knows whether pieces are stored at these suppliers."""
        return self._marker.exists()

    def settle(self) -> None:
        """The catalog is known: from now on it says whether pieces are stored there."""
        remove_safely(self._marker)

    def has_unread(self, reading: Reading) -> bool:
        """Whether pieces may be stored for another life of mine of which the catalog does not know yet."""
        return self._others.are_unread(reading, self.holders)

    def unread(self, reading: Reading) -> list[Unread]:
        """Other lives of mine of which that is so."""
        return self._others.unread(reading, self.holders)

    def note_read(self, reading: Reading) -> None:
        """Note what of other lives of mine is known by now, before somebody of them is let go. Raises `OSError`."""
        self._others.look(reading, self.holders, self.current)

    def is_unlisted(self, supplier: bytes, reading: Reading) -> bool:
        """Whether a supplier of another life of mine may have pieces that it has not listed yet."""
        return self._others.is_unlisted(supplier, reading)

    def waits_for(self, supplier: bytes) -> bool:
        """Whether a supplier may hold what is not known before a life has its turn: it is to keep that."""
        return self._others.waits_for(supplier)

    def of_other_lives(self) -> list[bytes]:
        """Holders that are suppliers of another life of mine too, of which not all is known here."""
        return list(filter(self._others.has, self.holders))

    @property
    def has_guests_aside(self) -> bool:
        """Whether some have stepped aside who may hold what is not known here, and are no holders meanwhile."""
        return self._others.are_aside()

    def write(
        self,
        suppliers: Sequence[bytes | None],
        addresses: Sequence[str | None],
        leaving: Sequence[bytes | None] | None = None,
        change: SizeChange | None = None,
        other: Family | None = None,
        also: Also | None = None,
    ) -> Family:
        """The next revision, signed and saved.

        Without ``leaving`` and ``also`` those who leave a place go on leaving it, and so does a ``change`` of size. The
        record of an ``other`` family, which knew nothing of mine, is followed as well.
        """
        self._check_known()
        n, before = len(suppliers), self.current
        if before is not None and before.n == n:
            leaving = before.leaving if leaving is None else leaving
            change = SizeChange.of(before) if change is None else change
        change = change or SizeChange()
        also = also if also is not None else also_of(before) if before is not None else ()
        leaving, also = in_turn(list(suppliers), list(leaving or [None] * n), also)
        family = Family(
            customer=self._me.fingerprint,
            revision=1 + max((one.revision for one in (before, other) if one is not None), default=0),
            k=Scheme.for_family(n).k,
            n=n,
            time=int(self._wall()),
            suppliers=list(suppliers),
            addresses=list(addresses),
            leaving=leaving if any(leaving) else None,
            wanted=change.wanted,
            beyond=list(change.beyond) or None,
            former=change.former,
            mandate=before.mandate if before is not None and before.n == n else None,
            roots=self._roots.of(before, other) if before is not None else [self._me.device.id],
            also=[{"place": place, "supplier": who} for place, who in also] or None,
        )
        self._sign(family)
        assert self.current is not None
        return self.current

    def entrust(self, mandate: Mandate | None) -> None:
        """The next revision, with another mandate and nothing else changed."""
        self._check_known()
        if self.current is not None and self.current.mandate != mandate:
            revision, now = self.current.revision + 1, int(self._wall())
            self._sign(evolve(self.current, revision=revision, time=now, mandate=mandate))

    def _sign(self, family: Family) -> None:
        if len(family.to_body()) > MAX_BODY:
            family = evolve(family, addresses=None)
        self._keep(family, self._me.sign(Family.KIND, family.to_body()))

    def _check_known(self) -> None:
        if self._me.awaits(FAMILY):
            text = "the newest family of this recovered node is not known yet; nothing is changed until it is"
            raise BitDustError("recovering", text)

    def adopt(self, signed: Signed) -> bool:
        """Take a newer revision that a device of mine signed, from the DHT or a supplier; True when it was newer.

        A record that does not go back to all that mine goes back to is joined with mine, whichever is newer.
        A record of a device that was revoked since is taken where nothing else is known; it replaces none of a device
        that counts, however high its revision: whoever stole that device could write it. Any such one replaces it.
        And none goes so far ahead that suppliers would take no later one. Raises `WireError`.
        """
        family, device = self._checked(signed)
        if self.current is not None and device.revoked is not None:
            return False
        if self.current is not None and not self._is_of_revoked_device():
            if not self._me.awaits(FAMILY) and is_to_be_joined(self.current, family):
                return self._unite(self.current, family, signed)
            if family.revision <= self.current.revision:
                return False
            # On a recovered node what came first may be as old as it likes.
            if not self._me.awaits(FAMILY):
                check_near(family.revision, self.current.revision, "my family")
        write_safely(self._marker, b"")
        self._note_strangers(family, signed)
        self._note_before(family, signed)
        self._keep(family, signed)
        if not self._me.awaits(FAMILY):
            self.confirm()
        return True

    def _note_strangers(self, family: Family, signed: Signed) -> None:
        """Some may have what was stored in another life, or are guests: nobody but the device that has let them in
        knows that. And of what is new altogether nothing was read or listed here."""
        mine = None if self._me.awaits(FAMILY) else self.current
        if mine is None or brings_strangers(mine, family):
            strangers = None if mine is None else {*family.holders} - {*mine.holders}
            self._others.note(signed, guests=(), strangers=strangers)

    def _note_before(self, family: Family, signed: Signed) -> None:
        """Another device of mine puts others in the places of my suppliers, or names lives that mine has joined."""
        if not (self.current and self.signed) or self._me.awaits(FAMILY) or signed.device == self._me.device.id:
            return
        self._roots.note(self.current, family, signed.device)
        if not set(self.members) <= set(family.suppliers):
            self._before.note(self.signed, signed.device)

    @property
    def is_doubtful(self) -> bool:
        """Whether another device has put others in the places of so many that nobody is to be let go yet."""
        return self.current is not None and self._before.is_doubtful(self.current)

    def _unite(self, mine: Family, theirs: Family, signed: Signed) -> bool:
        """Go on from both: I started over, or another device did, and each family holds what the other one lacks."""
        check_near(theirs.revision, mine.revision, "my family")
        if is_joined(mine, theirs):
            return False
        going = self._others.who_step_aside(lambda left: merged(left, theirs).leave_enough(left, theirs), mine)
        if going is None or not self._others.note(signed):
            self.log.info("two families cannot be joined before the changes of one of them have come to their end")
            return False
        going += self._others.in_the_way(mine, theirs.n)
        places = merged(self._others.without(going, mine), theirs)
        write_safely(self._marker, b"")
        self._note_before(theirs, signed)
        self._others.step_aside(going)
        self.write(places.suppliers, places.addresses, places.leaving, places.change, theirs, places.also)
        return True

    def take_guests(self, signed: Signed) -> bool:
        """Read what another life has stored whose record is signed by a device that was revoked since; True when its
        suppliers are in my record now, or wait for their turn to be.

        The device counted when it signed, or it was stolen by then and names whom it likes. So nobody of mine gives
        way: those of the record stand beside mine as leaving, until what they have is known. And mine does not follow
        it: a record with the same roots, of a device that counts, is still to be joined. Raises `WireError`.
        """
        theirs, _ = self._checked(signed)
        mine = self.current
        if mine is None or not is_of_another_life(mine, theirs) or self._me.awaits(FAMILY):
            return False
        guests, joined = {*theirs.holders} - {*mine.holders}, beside(mine, theirs)
        if joined is None:
            return can_stand(mine, theirs) and self._others.wait(signed, int(self._wall()) + TERM, guests)
        if not self._others.note(signed, self._guests_end(), guests):
            return False
        write_safely(self._marker, b"")
        self._arrange(Places.of(joined))
        return True

    def _arrange(self, places: Places) -> None:
        self.write(places.suppliers, places.addresses, places.leaving, places.change, also=places.also)

    def _guests_end(self) -> int:
        return int(self._wall()) + GUEST_DAYS * DAY

    def end_guests(self, suppliers: Collection[bytes]) -> None:
        """A person ends it with these, whoever waits for them. Raises `OSError`."""
        self._others.end(suppliers)

    def take_again(self, reading: Reading | None = None) -> None:
        """Guests who wait stand beside mine where there is room, and with a ``reading`` where it is their turn; those
        at places that are wanted get others, so that nobody is hired by being read. Raises `OSError`."""
        for life in self._others.guests(is_aside=True):
            try:
                self._checked(Signed.from_bytes(bytes.fromhex(life.record), Family.KIND, MAX_RECORD))
            except WireError:
                self._others.forget(life)
        turn = self._others.next_turn(self.current, reading) if self.current is not None else None
        if turn is None or not turn.changes:
            return
        self._others.give_turn(turn, self._guests_end())
        if turn.coming:
            write_safely(self._marker, b"")
        self._arrange(Places.of(turn.family))

    @property
    def has_room(self) -> bool:
        """Whether one more can leave a place beside those who do, if guests step aside."""
        return self.current is not None and self._others.has_room(self.current)

    def with_room(self) -> Family | None:
        """Mine with a place for one more who leaves, for which guests step aside; None where there is none. Raises
        `OSError`."""
        return self._others.with_room(self.current) if self.current is not None else None

    def confirm(self) -> None:
        """The record that is here is the newest one: sign it again where the device that did so was revoked since.

        Where that one had put others in the places of too many, those who had them before have them again; and lives
        that it has named are searched for. Strangers whom it has named are waited for as guests are.
        """
        if self.current is not None:
            self._others.doubt(self._roots.is_revoked, self.current, self._guests_end())
        for ident in filter(self._roots.is_revoked, self._before.devices()):
            self._give_back(ident)
        family = self.current
        doubted = self._roots.doubted((family and family.roots) or ())
        if doubted:
            write_safely(self._marker, b"")
        if family is not None and (doubted or self._is_of_revoked_device()):
            self.write(family.suppliers, family.addresses or [None] * family.n)
        self._roots.forget_doubted()

    def _give_back(self, device: bytes) -> None:
        before, now = self._before.of(device), self.current
        if before is not None and now is not None and is_overthrown(before, now):
            self._arrange(given_back(before, now, self._others.has))
        self._before.forget(device)

    def _is_of_revoked_device(self) -> bool:
        device = self._me.document.device(self.signed.device) if self.signed is not None else None
        return device is not None and device.revoked is not None

    def reconcile(self, signed: Signed) -> bool:
        """Join a record of the same revision that another device of mine wrote; True when something changed.

        Where both say the same, the one with the lower bytes counts, and the other device goes on from it. So does
        whatever it says where a record has no room for all of both, and no guests step aside: whom the other one has
        hired is forgotten then, and nobody of another life. A record of another life is left to `adopt`.
        """
        theirs, device = self._checked(signed)
        mine = self.current
        if mine is None or self.signed is None or theirs.revision != mine.revision:
            return False
        if self._me.awaits(FAMILY) or is_to_be_joined(mine, theirs):
            return False
        if device.revoked is not None or signed.to_bytes() == self.signed.to_bytes():
            return False
        is_lower = signed.to_bytes() < self.signed.to_bytes()
        going = self._others.who_step_aside(lambda *two: merged(*two).leave_enough(*two), mine, theirs)
        places = Places.of(theirs if is_lower else mine)
        if going is not None:
            going += [*self._others.in_the_way(mine, theirs.n), *self._others.in_the_way(theirs, mine.n)]
            places = merged(self._others.without(going, mine), self._others.without(going, theirs))
        write_safely(self._marker, b"")
        self._note_strangers(theirs, signed)
        self._note_before(theirs, signed)
        self._others.step_aside(going or ())
        if Places.of(theirs).says_the_same(places) and is_lower:
            self._keep(theirs, signed)
        else:
            self.write(places.suppliers, places.addresses, places.leaving, places.change, theirs, places.also)
        return True

    def check(self, signed: Signed) -> tuple[Family, bool]:
        """What a record says that a device of mine signed, and whether that one counts. Raises `WireError`."""
        family, device = self._checked(signed)
        return family, device.revoked is None

    def _checked(self, signed: Signed) -> tuple[Family, Device]:
        """A record of mine and the device that signed it. Raises `WireError`."""
        family = Family.from_body(signed.body)
        if family.customer != self._me.fingerprint:
            raise WireError("bad-signature", "this family record is somebody else's")
        device = self._me.document.device(signed.device)
        if device is None:
            raise WireError("bad-signature", "this family record is signed by no device of mine")
        check_record(signed, device.key)
        return family, device

    def _keep(self, family: Family, signed: Signed) -> None:
        write_safely(self._path, signed.to_bytes())
        self.current, self.signed = family, signed
        self.changed.emit()

    def position(self, fingerprint: bytes) -> int | None:
        """The place of a supplier, None for somebody else."""
        suppliers = self.current.suppliers if self.current is not None else []
        return suppliers.index(fingerprint) if fingerprint in suppliers else None

    def seat(self, fingerprint: bytes) -> int | None:
        """The place of a supplier in the family or beyond it, None for somebody else."""
        seats = self.current.seats if self.current is not None else []
        return seats.index(fingerprint) if fingerprint in seats else None

    @property
    def members(self) -> list[bytes]:
        """Fingerprints of my suppliers, in order of their places."""
        suppliers = self.current.suppliers if self.current is not None else []
        return [supplier for supplier in suppliers if supplier is not None]

    @property
    def holders(self) -> list[bytes]:
        """The members, and those who leave and still hold pieces."""
        return self.current.holders if self.current is not None else []
