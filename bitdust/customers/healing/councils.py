"""What this node knows of the families that it belongs to, and its own word in them.

A family record, certificates and identity documents come from anybody, each proves itself, and nothing older replaces
anything newer. A vote is given only for what this node has seen itself.
"""

from functools import lru_cache
from operator import is_

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.crypt.spare_votes import LONGEST, Bench
from bitdust.customers.contracts import RENEW_AFTER, RENEWED
from bitdust.customers.healing.book import CaseFile, HealingBook, Sighting
from bitdust.customers.healing.dossiers import Dossiers, Shown
from bitdust.customers.records import Counts
from bitdust.customers.store import SupplierStore
from bitdust.identity.document import WITHOUT_END
from bitdust.observed import time_between
from bitdust.peers.presence import Presence
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.healing import VERSION, WITH_INSTEAD, Dossier, SpareCertificate, SpareVote, Terms
from bitdust.wire.mandate import Mandate
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed

FORMER_SECONDS = 366 * 86_400
FIRST = 2
"""How many times as long as the mandate says a first vote lasts: another member may be lost, and be replaced, before it
is over, and a spare that does nothing is not kept for long."""
STEPS = 28
"""A member is looked for so often in the time after which it counts as gone."""
SPARE_PART = 2
"""A spare is waited for only so long a part of that time: nothing is with it that would not be elsewhere too."""
SURE = 7
"""While the owner was in touch within this part of that time, nobody is looked for at all."""


@lru_cache(1000)
def signer(data: bytes) -> bytes:
    """Id of the device that signed a family record; it is asked for with each look at a family."""
    return Signed.from_bytes(data, Family.KIND).device


@frozen
class Judged:
    """Who counts in a family at one second, and of what that follows."""

    family: Family
    known: tuple[SpareCertificate, ...]
    now: int
    bench: Bench

    def fits(self, family: Family, known: tuple[SpareCertificate, ...], now: int) -> bool:
        """Whether it follows of these very objects."""
        same = len(known) == len(self.known) and all(map(is_, known, self.known))
        return same and family is self.family and now == self.now


class Councils:
    """I keep what is known of each family in the book and the store, and judge by it."""

    log = Logger()

    def __init__(self, around: Connected, store: SupplierStore, book: HealingBook, presence: Presence) -> None:
        self._me = around.me
        self._identities = around.identities
        self._wall = around.world.wall
        self._clock = around.world.clock
        self._store = store
        self._presence = presence
        self._looked: dict[bytes, dict[bytes, float]] = {}
        self._judged: dict[bytes, Judged] = {}
        self._read: dict[bytes, tuple[bytes, Family]] = {}
        self.dossiers = Dossiers(around)
        self.book = book

    # what is remembered

    def tidy(self, customer: bytes) -> None:
        """Forget who has no place in a family any more."""
        bench, file = self.bench(customer) if self._store.is_open else None, self.book.of(customer)
        if bench is None:
            return
        known = {*bench.family.holders, *bench.seats(), *(one.terms.gone for one in bench.certificates)}
        file.seen = {who: seen for who, seen in file.seen.items() if who in known}
        looked = self._looked.get(customer, {})
        self._looked[customer] = {who: when for who, when in looked.items() if who in known}

    def forget(self, customer: bytes) -> None:
        """This customer is one no more: of its place nothing counts that was voted until now."""
        mine = self._me.fingerprint
        if any(one.terms.spare == mine for one in self.book.of(customer).certificates):
            self.book.note_ended(customer, int(self._wall()))
        for kept in (self._looked, self._judged, self._read):
            kept.pop(customer, None)
        self.book.forget(customer)

    # what is known

    def family(self, customer: bytes) -> Family | None:
        """The newest family record of a customer of mine."""
        data = self._record(customer)
        if data is None:
            return None
        known = self._read.get(customer)
        if known is None or known[0] != data:
            known = self._read[customer] = (data, Family.from_body(Signed.from_bytes(data, Family.KIND).body))
        return known[1]

    def _record(self, customer: bytes) -> bytes | None:
        """The newest that a device signed which is not revoked: a thief may have written its own before that."""
        document, back = self._identities.get(customer), 0
        newest = data = self._store.record(customer, Family.KIND)
        while data is not None:
            device = document.device(signer(data)) if document is not None else None
            if document is None or (device is not None and (device.revoked is None or device.sequence == WITHOUT_END)):
                return data
            back += 1
            data = self._store.record(customer, Family.KIND, back)
        return newest

    def bench(self, customer: bytes) -> Bench | None:
        """Who counts in a family now; None for no customer of mine, or one whose family is not known."""
        family = self.family(customer)
        return self._bench(family) if family is not None else None

    def _bench(self, family: Family) -> Bench:
        known, now = tuple(self.book.of(family.customer).certificates), int(self._wall())
        last = self._judged.get(family.customer)
        if last is not None and last.fits(family, known, now):
            return last.bench
        bench = Bench(family, self._identities.get, now).with_all(known)
        self._judged[family.customer] = Judged(family, known, now, bench)
        return bench

    def need_bench(self, customer: bytes) -> Bench:
        """Raises ``no-contract`` where this node does not belong to the family."""
        bench = self.bench(customer) if self._store.is_open else None
        if bench is None:
            raise BitDustError("no-contract", "this node knows nothing of such a family")
        return bench

    def mandate(self, customer: bytes) -> Mandate | None:
        """What the owner allows now."""
        bench = self.bench(customer)
        mandate = bench.family.mandate if bench is not None else None
        return mandate if mandate is not None and mandate.ends > self._wall() else None

    def dossier(self, customer: bytes, for_owner: bool = False) -> Dossier:
        """All that others need to judge, and for the owner what counted before. Raises ``no-contract``."""
        bench, signed = self.need_bench(customer), self._record(customer)
        documents = [self._identities.get(who) for who in (customer, *bench.seats())]
        former = self._former(bench.family, bench, self.book.of(customer)) if for_owner else []
        certificates = [one.to_bytes() for one in (*bench.certificates, *former)]
        return Dossier(signed or b"", [one.xml for one in documents if one is not None], certificates)

    # what comes

    async def take(self, shown: Shown) -> Bench:
        """Take over whatever is newer; who counts in the family from now on. Raises `BitDustError`."""
        customer = shown.family.customer
        known = self.need_bench(customer).family
        if shown.family.revision < known.revision:
            raise BitDustError("stale", f"revision {known.revision} of the family is known", revision=known.revision)
        await self.keep(shown)
        return self.note(shown.family, shown.certificates)

    def keep(self, shown: Shown) -> "Deferred[int]":
        """Keep a family record as its customer's newest, and who is in it; fails ``stale``, ``conflict``,
        ``no-contract``."""
        customer = shown.family.customer
        for document in shown.documents:
            self._identities.keep(document)
        return self._store.store_signed(customer, shown.family.revision, shown.signed, self.counting(customer))

    def counting(self, customer: bytes) -> Counts:
        """By the id of a device, whether it is one of the customer's that counts now."""
        document = self._identities.get(customer)

        def counts(ident: bytes) -> bool:
            device = document.device(ident) if document is not None else None
            return device is not None and device.revoked is None

        return counts

    def note(self, family: Family, certificates: list[SpareCertificate]) -> Bench:
        """Keep those certificates that count; who counts in the family from now on."""
        before = self._bench(family)
        after = before.with_all(certificates)
        if after.certificates != before.certificates:
            file = self.book.of(family.customer)
            file.certificates = [*after.certificates, *self._former(family, after, file)]
            self.book.note(family.customer)
        return after

    def _former(self, family: Family, bench: Bench, file: CaseFile) -> list[SpareCertificate]:
        """What counts no more and still tells the owner where pieces are: the newest of each place that it may mean."""
        found: dict[int, SpareCertificate] = {}
        for one in sorted(file.certificates, key=lambda one: one.ends):
            place, spare = one.terms.place, one.terms.spare
            means = place < family.n and family.suppliers[place] == one.terms.gone and spare not in family.holders
            if means and bench.spare_at(place) is None and one.ends > self._wall() - FORMER_SECONDS:
                found[place] = one
        return list(found.values())

    # who is there

    def owner_away(self, customer: bytes) -> float:
        """For how many seconds the customer was not in touch."""
        account = self._store.contract_of(customer)
        if account is None:
            return 0.0
        if self._presence.is_online(customer):
            self.note_owner(customer)
            return 0.0
        seen = max(account.contract.since, self.book.of(customer).owner_seen)
        return max(0.0, self._wall() - seen)

    def note_owner(self, customer: bytes) -> None:
        """The customer has come or gone just now, or is there.

        It is written with its contract's term, once an hour, and so is whatever contact it has.
        """
        account = self._store.contract_of(customer) if self._store.is_open else None
        if account is None:
            return
        file, now = self.book.of(customer), int(self._wall())
        file.owner_seen = now
        if account.state in RENEWED:
            renewed = self._store.touch(customer)
            if renewed is not None:
                renewed.addErrback(lambda failure: self.log.warn("a term is not renewed: {why}", why=failure.value))
        elif now - file.owner_written >= RENEW_AFTER:
            file.owner_written = now
            self.book.note(customer)

    def note_there(self, customer: bytes, who: bytes) -> None:
        """A member has answered."""
        self._looked.setdefault(customer, {})[who] = self._clock.seconds()
        before = self.book.of(customer).seen.get(who)
        self.book.of(customer).seen[who] = Sighting(int(self._wall()))
        if before is None or before.watched:
            self.book.note(customer)

    def note_silent(self, customer: bytes, who: bytes, after: float) -> None:
        """A member has not answered. What passed since it was looked for counts, unless it is me who is cut off."""
        now, wall = self._clock.seconds(), int(self._wall())
        looked = self._looked.setdefault(customer, {})
        before, looked[who] = looked.get(who, now), now
        time = int(time_between(before, now, 3 * after / STEPS)) if self._meets_majority(customer, after) else 0
        known = self.book.of(customer).seen.get(who, Sighting(wall))
        self.book.of(customer).seen[who] = Sighting(min(known.seen, wall), known.watched + time)
        # Some of it may be forgotten: then the member is only waited for a little longer.
        if known.watched // (after / SURE) != (known.watched + time) // (after / SURE):
            self.book.note(customer)

    def _meets_majority(self, customer: bytes, after: float) -> bool:
        """Whether I was in touch with so many members lately that we are more than half of the family."""
        bench, file = self.bench(customer), self.book.of(customer)
        if bench is None:
            return False
        late = self._wall() - 4 * after / STEPS
        seats = {
            seat
            for who, seat in bench.seats().items()
            if who == self._me.fingerprint or ((seen := file.seen.get(who)) is not None and seen.seen >= late)
        }
        return 2 * len(seats) > bench.family.n

    def is_gone(self, customer: bytes, who: bytes) -> bool:
        """Whether I watched a member being away for as long as the mandate says.

        Where a majority has found so already it is enough that I do not meet it either.
        """
        bench, seen = self.bench(customer), self.book.of(customer).seen.get(who)
        if bench is None or bench.family.mandate is None or seen is None:
            return False
        certified = any(one.terms.gone == who for one in bench.certificates)
        return seen.watched >= bench.family.mandate.after or (certified and seen.watched > 0)

    def is_spare_gone(self, customer: bytes, spare: bytes) -> bool:
        """Whether I watched a spare being away, or doing nothing with its place, for half of the mandate's time."""
        mandate, seen = self.mandate(customer), self.book.of(customer).seen.get(spare)
        return mandate is not None and seen is not None and seen.watched >= mandate.after / SPARE_PART

    def place_of_spare(self, customer: bytes) -> int | None:
        """At which place this node stands in for a member."""
        bench = self.bench(customer) if self._store.is_open else None
        mine = self._me.fingerprint
        places = [one.terms.place for one in bench.certificates if one.terms.spare == mine] if bench is not None else []
        return places[0] if places else None

    # my word

    def seat(self, bench: Bench) -> int | None:
        """My own place in a family."""
        return bench.seats().get(self._me.fingerprint)

    async def vote(self, bench: Bench, terms: Terms) -> bytes:
        """My signed vote, on the disk before it is given. Raises `BitDustError` where I do not vote for it."""
        customer, after, now = terms.customer, bench.mandate.after, int(self._wall())
        file, seat = self.book.of(customer), self.seat(bench)
        instead = self._need_others_gone(bench, file, terms, now)
        bench.need_terms(terms, instead, now)
        if seat is None or seat == terms.place:
            raise BitDustError("not-allowed", "this node has no seat that may vote for this")
        if self.owner_away(customer) < after:
            raise BitDustError("not-allowed", "the owner was in touch a short while ago, and decides itself")
        if not self.is_gone(customer, terms.gone):
            raise BitDustError("not-allowed", "this node has met the member that is called gone")
        self._need_few(bench, file, terms, now)
        since = file.seen[terms.gone].seen
        ends = min(now + after * (LONGEST if self.was_certified(terms) else FIRST), bench.mandate.ends)
        vote = SpareVote(
            terms.customer, terms.revision, terms.place, terms.gone, terms.spare,
            self._me.fingerprint, seat, since, now, ends,
            instead=sorted(instead) or None, version=WITH_INSTEAD if instead else VERSION,
        )  # fmt: skip
        data = self._me.sign(SpareVote.KIND, vote.to_body()).to_bytes()
        file.votes[terms.place] = data
        await self.book.save(customer)
        return data

    def _need_others_gone(self, bench: Bench, file: CaseFile, terms: Terms, now: int) -> frozenset[bytes]:
        """Who had the place or my vote for it before, and is gone. Raises ``conflict`` for one that is there.

        Of some a majority has said so already, with whoever stands in now.
        """
        standing = next((one for one in bench.certificates if one.terms.place == terms.place), None)
        settled = standing.instead if standing is not None else frozenset()
        last = file.vote(terms.place)
        others = {standing.terms.spare} if standing is not None else set()
        others |= {last.spare} if last is not None and last.ends > now else set()
        unsettled = others - settled - {terms.spare}
        if not all(self.is_spare_gone(terms.customer, spare) for spare in unsettled):
            raise BitDustError("conflict", "another spare has this place, or this node's vote for it, and is there")
        listed = frozenset(bench.mandate.spares)
        return (settled | unsettled) & listed - {terms.spare}

    def was_certified(self, terms: Terms) -> bool:
        """Whether a certificate has said the same already."""
        return any(one.terms == terms for one in self.book.of(terms.customer).certificates)

    def _need_few(self, bench: Bench, file: CaseFile, terms: Terms, now: int) -> None:
        """My votes in force name no spare twice, and no more places than the mandate allows."""
        others = [vote for place in file.votes if place != terms.place and (vote := file.vote(place)) is not None]
        standing = [vote for vote in others if vote.ends > now and vote.revision == bench.family.revision]
        if terms.spare in [vote.spare for vote in standing]:
            raise BitDustError("conflict", "this node has voted for this spare at another place")
        places = {vote.place for vote in standing} | {one.terms.place for one in bench.certificates}
        if len(places - {terms.place}) >= bench.mandate.most:
            raise BitDustError("no-space", "this node has voted for as many spares as the mandate allows")
