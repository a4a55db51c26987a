"""Choosing a spare for a place, and asking the members for their votes."""

from collections.abc import Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.crypt.merkle import root
from bitdust.crypt.spare_votes import Bench, is_majority, spares_in_order
from bitdust.customers.healing.councils import Councils
from bitdust.customers.names import PieceName, record_of
from bitdust.customers.store import SupplierStore
from bitdust.outcome import outcome, outcomes
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.healing import MAX_DOSSIER, MAX_VOTE, Dossier, SpareCertificate, SpareClaim, SpareVote, Terms
from bitdust.wire.packet import Command

ASK_SECONDS = 20.0
PROOF_TRIES = 5


class Elections:
    """I ask spares and members. A vote of my own follows from `Councils` alone."""

    def __init__(self, around: Connected, store: SupplierStore, councils: Councils) -> None:
        self._me = around.me
        self._outbox = around.outbox
        self._wall = around.world.wall
        self._entropy = around.world.entropy
        self._run_in_thread = around.world.run_in_thread
        self._store = store
        self._councils = councils

    # a spare

    async def choose(self, customer: bytes, place: int) -> bytes:
        """The first spare in order that accepts. Raises `BitDustError` ``no-candidate``."""
        bench = self._councils.need_bench(customer)
        last = self._councils.book.of(customer).vote(place)
        for spare in self._candidates(bench, place, last):
            try:
                await self.need_worthy(bench, place, spare)
            except BitDustError:
                continue
            if spare == bench.spare_at(place) or await self._accepts(bench, spare):
                return spare
        raise BitDustError("no-candidate", "no spare of the mandate accepts this place now")

    def _candidates(self, bench: Bench, place: int, last: SpareVote | None) -> list[bytes]:
        """Who may be asked, best first: who stands in, or has my vote still, and is not gone, and nobody beside."""
        standing = next((one for one in bench.certificates if one.terms.place == place), None)
        only = standing.terms.spare if standing is not None else None
        if only is None and last is not None and last.ends > self._wall() and last.revision == bench.family.revision:
            only = last.spare
        if only is not None and not self._councils.is_spare_gone(bench.family.customer, only):
            return [only]
        taken = {one.terms.spare for one in bench.certificates} | {only}
        taken |= standing.instead if standing is not None else set()
        fit = [spare for spare in spares_in_order(bench.mandate, place) if spare not in (*bench.family.holders, *taken)]
        return sorted(fit, key=lambda spare: last is None or spare != last.spare)

    async def _accepts(self, bench: Bench, spare: bytes) -> bool:
        if spare == self._me.fingerprint:
            return True
        fields = {"kind": "spare-offer", "customer": bench.family.customer, "room": bench.mandate.room}
        asked = await outcome(self._outbox.send(spare, Command.EVENT, fields, deadline=ASK_SECONDS))
        return asked.error is None

    async def need_worthy(self, bench: Bench, place: int, spare: bytes) -> None:
        """Raises `BitDustError` for a spare that was certified for this place before and does nothing with it."""
        if spare == self._me.fingerprint or not self._councils.was_certified(self.terms(bench, place, spare)):
            return
        if not await self._proves(bench, place, spare):
            raise BitDustError("not-allowed", "the spare has none of the pieces that it was asked for")

    def terms(self, bench: Bench, place: int, spare: bytes) -> Terms:
        """What a vote for a spare of a place is about."""
        gone = bench.family.suppliers[place]
        if gone is None:
            raise BitDustError("not-allowed", "nobody has this place")
        return Terms(bench.family.customer, bench.family.revision, place, gone, spare)

    async def _proves(self, bench: Bench, place: int, spare: bytes) -> bool:
        """Whether a spare gives a piece of its place, of one of a few packs that are picked by chance."""
        customer = bench.family.customer
        for _ in range(PROOF_TRIES):
            page = (
                self._store.listing(customer, self._entropy(16), 1).pieces
                or self._store.listing(customer, b"", 1).pieces
            )
            if not page:
                return True
            pack, number, _ = page[0]
            found = await self._store.find(PieceName(customer, pack, number), 0, 1)
            if await self._gives(bench, place, spare, found.signed):
                return True
        return False

    async def _gives(self, bench: Bench, place: int, spare: bytes, signed: bytes) -> bool:
        record, customer = record_of(signed), bench.family.customer
        if place >= len(record.roots):
            return True
        fields = {"kind": "piece", "pack": record.pack, "index": place, "offset": 0, "length": 0}
        asked = await outcome(
            self._outbox.send(
                spare,
                Command.RETRIEVE,
                fields,
                deadline=ASK_SECONDS,
                max_answer=record.piece_size + 1024,
                owner=customer,
                capability=SpareClaim(customer, place).to_bytes(),
            )  # fmt: skip
        )
        if asked.error is not None:
            return False
        data = bytes(asked.value.payload)
        return bool(await self._run_in_thread(lambda: root(data) == record.roots[place]))

    # votes

    async def elect(self, customer: bytes, place: int, spare: bytes) -> SpareCertificate:
        """My vote and those of others, when they are enough. Raises `BitDustError`."""
        bench = self._councils.need_bench(customer)
        terms = self.terms(bench, place, spare)
        mine = await self._councils.vote(bench, terms)
        others = [who for who, seat in bench.seats().items() if seat != place and who != self._me.fingerprint]
        fields = {"kind": "spare-vote", "customer": customer, "place": place, "spare": spare}
        answers = await self._ask_all(others, fields, self._councils.dossier(customer))
        votes = self._counted(bench, terms, [mine, *answers])
        if not is_majority(bench.family, len(votes)):
            raise BitDustError("not-allowed", f"{len(votes)} of {bench.family.n} have voted for the spare")
        certificate = SpareCertificate.of(list(votes.values()))
        now = self._councils.need_bench(customer)
        now.with_certificate(certificate)
        self._councils.note(now.family, [certificate])
        return certificate

    async def _ask_all(self, whom: Iterable[bytes], fields: Mapping[str, Any], dossier: Dossier) -> list[bytes]:
        payload = dossier.to_bytes()
        asking = [
            self._outbox.send(who, Command.EVENT, fields, payload, deadline=ASK_SECONDS, max_answer=MAX_DOSSIER)
            for who in whom
        ]
        return [bytes(ended.value.payload) for ended in await outcomes(asking) if ended.error is None]

    def _counted(self, bench: Bench, terms: Terms, votes: list[bytes]) -> dict[int, bytes]:
        """One vote a seat, of those that count for these terms."""
        counted: dict[int, bytes] = {}
        for data in votes:
            if len(data) > MAX_VOTE:
                continue
            try:
                vote, signed = SpareVote.read(data)
                bench.need_vote(vote, signed)
            except BitDustError:
                continue
            if vote.terms == terms:
                counted[vote.seat] = data
        return counted

    def publish(self, customer: bytes) -> "Deferred[Any]":
        """Bring all certificates of a family to its members and spares; fires when all have answered or failed."""
        bench, payload = self._councils.need_bench(customer), self._councils.dossier(customer).to_bytes()
        fields = {"kind": "spare-certificate", "customer": customer}
        whom = [who for who in bench.seats() if who != self._me.fingerprint]
        return self._send_all(whom, fields, payload)

    def _send_all(self, whom: list[bytes], fields: Mapping[str, Any], payload: bytes) -> "Deferred[Any]":
        sent = [self._outbox.send(who, Command.EVENT, fields, payload, deadline=ASK_SECONDS) for who in whom]
        return outcomes(sent)
