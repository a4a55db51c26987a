"""Dossiers of a family of nobody, with thousands of votes that are signed, and one of each certificate that is not."""

import time
from collections.abc import Callable

from attrs import evolve

from benchmarks.abuse_peer import DEVICE, Peer, Persona, later
from bitdust.wire.healing import Dossier, SpareCertificate, SpareVote
from bitdust.wire.mandate import Mandate
from bitdust.wire.packet import Command
from bitdust.wire.records import Family

MEMBERS, CERTIFICATES = 64, 100
AFTER = 7 * 86_400


class Nobodies:
    """A family whose owner and members are the attacker, and whose spare is the node that is attacked."""

    def __init__(self, person: Callable[[], Persona], victim: bytes) -> None:
        self.owner, *self.members = (person() for _ in range(MEMBERS + 1))
        self._now = int(time.time())
        mandate = Mandate(AFTER, [victim], 16, 10 * 1024 * 1024, bytes(16), self._now + 700 * 86_400)
        seats = [one.fingerprint for one in self.members]
        owner = self.owner.fingerprint
        self._family = Family(owner, 1, MEMBERS // 2, MEMBERS, self._now, seats, mandate=mandate)
        self._victim = victim

    def _vote(self, seat: int, moment: int, is_good: bool = True) -> bytes:
        vote = SpareVote(
            customer=self.owner.fingerprint, revision=1, place=0, gone=self.members[0].fingerprint, spare=self._victim,
            voter=self.members[seat].fingerprint, seat=seat, since=moment - AFTER, time=moment, ends=self._now + AFTER,
        )  # fmt: skip
        signed = DEVICE.sign_record(SpareVote.KIND, vote.to_body())
        broken = bytes([signed.signature[0] ^ 1]) + signed.signature[1:]
        return (signed if is_good else evolve(signed, signature=broken)).to_bytes()

    def dossier(self) -> bytes:
        """Two megabytes."""
        certificates = []
        for number in range(CERTIFICATES):
            votes = [self._vote(seat, self._now - number, seat < MEMBERS - 1) for seat in range(1, MEMBERS)]
            certificates.append(SpareCertificate.of(votes).to_bytes())
        family = DEVICE.sign_record(Family.KIND, self._family.to_body()).to_bytes()
        people = [one.document.xml for one in (self.owner, *self.members)]
        return Dossier(family, people, certificates).to_bytes()


def bring(peer: Peer, nobodies: Nobodies, dossier: bytes) -> None:
    """The same again and again, each half a second after the one before was answered."""
    if not peer.lost:
        fields = {"kind": "spare-certificate", "customer": nobodies.owner.fingerprint}
        asking = peer.ask(Command.EVENT, fields, dossier)
        asking.addCallbacks(lambda _: later(0.5, bring, peer, nobodies, dossier), lambda failure: None)
