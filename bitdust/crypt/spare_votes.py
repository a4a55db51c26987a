"""Whether votes and certificates of a family count. Everybody who has the same records comes to the same answer.

==========================================================  ==================
what is wrong                                               it is refused with
==========================================================  ==================
another family, or one without a mandate that counts        ``not-allowed``
an older revision than the newest that is known             ``stale``
a spare that the mandate does not name, or that is there    ``not-allowed``
somebody who is not in the place, or no place at all        ``not-allowed``
a vote of who is gone, of who has no seat, twice a seat     ``not-allowed``
votes of half of the family or fewer                        ``not-allowed``
a device that is unknown or revoked, other bytes            ``bad-signature``
over, or reaching too far into the future                   ``stale``
another spare has the place, and is not said to be gone     ``conflict``
as many places as the mandate allows have spares            ``no-space``
==========================================================  ==================
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache

from attrs import frozen

from bitdust.crypt.device import check_record
from bitdust.wire.encoding import WireError
from bitdust.wire.healing import SpareCertificate, SpareVote, Terms
from bitdust.wire.mandate import Mandate
from bitdust.wire.records import MAX_SUPPLIERS, Family
from bitdust.wire.signed import Signed
from bitdust.wire.table import Document

LONGEST = 4
"""A vote lasts so many times as long as the owner lets anybody wait: another member may be lost and be healed before a
certificate is over that it has voted for."""
OF_PLACE, MOST_JUDGED = 4, 64
"""Certificates of one place, and of a whole family, that are judged: an honest member has two of a place at most."""
SKEW = 3600
"""Seconds by which clocks may differ."""
Documents = Callable[[bytes], Document | None]
"""The newest identity document of a fingerprint that is known."""


@frozen
class Bench:
    """A family and the certificates of its places that count: who may vote, and for whom.

    ``now`` is None for who only wants to know where pieces are: then certificates that are over count too.
    """

    family: Family
    documents: Documents
    now: float | None
    certificates: tuple[SpareCertificate, ...] = ()

    @property
    def mandate(self) -> Mandate:
        """What the owner allows. Raises `WireError` where it allows nothing, or no more."""
        mandate = self.family.mandate
        if mandate is None or (self.now is not None and mandate.ends <= self.now):
            raise WireError("not-allowed", "the owner of this family has given no mandate that counts")
        return mandate

    def spare_at(self, place: int) -> bytes | None:
        """Who stands in at a place."""
        return next((one.terms.spare for one in self.certificates if one.terms.place == place), None)

    def sitting(self, seat: int) -> list[bytes]:
        """Who may vote for a place: its supplier, and who stands in for it."""
        supplier = self.family.suppliers[seat] if seat < self.family.n else None
        return [who for who in (supplier, self.spare_at(seat)) if who is not None]

    def seats(self) -> dict[bytes, int]:
        """Everybody who may vote, and for which place."""
        return {who: seat for seat in range(self.family.n) for who in self.sitting(seat)}

    def need_terms(self, terms: Terms, instead: Collection[bytes], time: float) -> None:
        """Raises `WireError` where nobody may vote for this at a time; see the module's text.

        ``instead`` names spares of the place that are said to be gone.
        """
        family = self.family
        if terms.customer != family.customer:
            raise WireError("not-allowed", "this is about another family")
        if terms.revision != family.revision:
            raise WireError("stale", "this is about another revision of the family", revision=family.revision)
        mandate = self.mandate
        if terms.spare not in mandate.spares or terms.spare in family.holders:
            raise WireError("not-allowed", "the owner's mandate does not name this spare")
        if terms.place >= family.n or family.suppliers[terms.place] != terms.gone:
            raise WireError("not-allowed", "who is called gone does not have this place")
        others = [one.terms for one in self.certificates if one.terms.place != terms.place]
        if terms.spare in [other.spare for other in others]:
            raise WireError("conflict", "this spare has another place already")
        standing = next((one for one in self.certificates if one.terms.place == terms.place), None)
        if standing is not None and standing.terms.spare != terms.spare:
            # Each may say of the other that it is gone: whoever came back was voted for later.
            is_later = terms.spare not in standing.instead or time > standing.time
            if standing.terms.spare not in instead or not is_later:
                raise WireError("conflict", "another spare has this place")
        if len(others) >= mandate.most:
            raise WireError("no-space", f"the mandate allows {mandate.most} spares, and so many there are")

    def need_vote(self, vote: SpareVote, signed: Signed) -> None:
        """Raises `WireError` for a vote that does not count, whatever it is about."""
        if vote.seat == vote.place or vote.voter not in self.sitting(vote.seat):
            raise WireError("not-allowed", "the voter has no seat that may vote for this")
        if self.now is not None:
            self._need_time(vote, self.now)
        key = key_of(vote, signed, self.documents)
        if key is None or not is_signed(signed, key):
            raise WireError("bad-signature", "no device of the voter that counts has signed this vote")

    def _need_time(self, vote: SpareVote, now: float) -> None:
        if vote.ends <= now:
            raise WireError("stale", "this vote is over")
        if vote.time > now + SKEW or vote.ends > min(now + LONGEST * self.mandate.after + SKEW, self.mandate.ends):
            raise WireError("stale", "this vote reaches too far into the future")

    def with_certificate(self, certificate: SpareCertificate) -> "Bench":
        """The same with one more certificate, which replaces an older one of its place. Raises `WireError`."""
        self.need_terms(certificate.terms, certificate.instead, certificate.time)
        if len({vote.seat for vote in certificate.votes}) != len(certificate.votes):
            raise WireError("not-allowed", "a seat has voted twice")
        if not is_majority(self.family, len(certificate.votes)):
            text = f"{len(certificate.votes)} votes are no majority of {self.family.n}"
            raise WireError("not-allowed", text)
        for vote, signed in zip(certificate.votes, certificate.signed, strict=True):
            self.need_vote(vote, signed)
        others = [one for one in self.certificates if one.terms.place != certificate.terms.place]
        return Bench(self.family, self.documents, self.now, (*others, certificate))

    def with_all(self, certificates: Iterable[SpareCertificate]) -> "Bench":
        """The same with those of these that count. A spare votes as well: one certificate may need another."""
        bench, left = self, few(certificates)
        while True:
            unused = []
            for certificate in left:
                try:
                    bench = bench.with_newer(certificate)
                except WireError:
                    unused.append(certificate)
            if len(unused) == len(left):
                return bench
            left = unused

    def with_newer(self, certificate: SpareCertificate) -> "Bench":
        """The same with a certificate, unless one of the same place and spare counts for longer. Raises `WireError`."""
        known = next((one for one in self.certificates if one.terms == certificate.terms), None)
        joined = self.with_certificate(certificate)
        return self if known is not None and _lasts(known) >= _lasts(certificate) else joined


def _lasts(certificate: SpareCertificate) -> tuple[int, int]:
    return certificate.ends, certificate.time


def few(certificates: Iterable[SpareCertificate]) -> list[SpareCertificate]:
    """Those that are judged, of more than can be true: of each place the ones that last longest."""
    counted: Counter[int] = Counter()
    found: list[SpareCertificate] = []
    for one in sorted(certificates, key=lambda one: (-one.ends, one.to_bytes())):
        if counted[one.terms.place] < OF_PLACE and len(found) < MOST_JUDGED:
            counted[one.terms.place] += 1
            found.append(one)
    return found


def read_few(certificates: Sequence[bytes]) -> list[SpareCertificate]:
    """Those of a dossier that are judged; what stands behind the first ones is not read. Raises `WireError`."""
    return few(map(SpareCertificate.from_bytes, certificates[:MOST_JUDGED]))


@lru_cache(2 * MOST_JUDGED * MAX_SUPPLIERS)
def is_signed(signed: Signed, public: bytes) -> bool:
    """Whether a device has signed it: what was found once stays so, and certificates are judged again and again."""
    try:
        check_record(signed, public)
    except WireError:
        return False
    return True


def signatures(certificates: Iterable[SpareCertificate], documents: Documents) -> list[tuple[Signed, bytes]]:
    """All votes with the keys that are to have signed them."""
    found: list[tuple[Signed, bytes]] = []
    for certificate in certificates:
        for vote, signed in zip(certificate.votes, certificate.signed, strict=True):
            key = key_of(vote, signed, documents)
            if key is not None:
                found.append((signed, key))
    return found


def key_of(vote: SpareVote, signed: Signed, documents: Documents) -> bytes | None:
    """The key that is to have signed a vote; None where the voter has no such device that counts."""
    document = documents(vote.voter)
    device = document.device(signed.device) if document is not None else None
    return device.key if device is not None and device.revoked is None else None


def prove(pairs: Iterable[tuple[Signed, bytes]]) -> None:
    """Look at signatures, in a thread: what was found, good or bad, is remembered for who judges the certificates."""
    for signed, key in pairs:
        is_signed(signed, key)


def is_majority(family: Family, votes: int) -> bool:
    """Whether so many votes are more than half of the whole family."""
    return 2 * votes > family.n


def spares_in_order(mandate: Mandate, place: int) -> list[bytes]:
    """The spares of a mandate, in the order in which they are asked for one place: nobody chooses it."""

    def key(spare: bytes) -> bytes:
        return hashlib.sha256(mandate.nonce + place.to_bytes(2, "big") + spare).digest()

    return sorted(mandate.spares, key=key)
