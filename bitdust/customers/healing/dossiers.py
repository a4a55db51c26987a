"""Dossiers as they come, from anybody: read and proven in a thread, because each may have thousands of signatures.

One at a time: each thread that works takes its share of the interpreter from the reactor.
"""

from collections import Counter

from attrs import frozen

from bitdust.batching import ThreadQueue
from bitdust.crypt.device import check_record
from bitdust.crypt.spare_votes import prove, read_few, signatures
from bitdust.identity.document import IdentityDocument
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.healing import Dossier, SpareCertificate
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed

MOST_DOSSIERS = 20
"""Of one peer in a minute, with questions for room. Anybody may bring one, and to read it costs many signatures."""


@frozen
class Shown:
    """A family record that its customer signed, documents of those whom it names, and certificates yet to be judged."""

    family: Family
    signed: Signed
    documents: list[IdentityDocument]
    certificates: list[SpareCertificate]


class Dossiers:
    """I read them."""

    def __init__(self, around: Connected) -> None:
        self._clock = around.world.clock
        self._work = ThreadQueue(around.world.run_in_thread)
        self._identities = around.identities
        self._counted: Counter[bytes] = Counter()
        self._since = 0.0

    def admit(self, peer: bytes) -> None:
        """A peer brings a dossier, or asks for room. Raises ``busy`` where it has done so too often lately."""
        now = self._clock.seconds()
        if now - self._since >= 60.0:
            self._counted, self._since = Counter(), now
        self._counted[peer] += 1
        if self._counted[peer] > MOST_DOSSIERS:
            raise BitDustError("busy", f"{MOST_DOSSIERS} questions of yours were answered in this minute; come again")

    async def read(self, payload: bytes) -> Shown:
        """The family of a dossier, proven. Raises `WireError`.

        Documents of those whom it names are known from then on as those of strangers are: whoever takes the family
        over keeps them.
        """
        shown: Shown = await self._work.submit(_read, payload)
        for document in shown.documents:
            self._identities.accept(document)
        owner = self._identities.get(shown.family.customer)
        device = owner.device(shown.signed.device) if owner is not None else None
        if device is None or device.revoked is not None:
            raise WireError("bad-signature", "no device of the customer that counts has signed its family")
        check_record(shown.signed, device.key)
        await self._work.submit(prove, signatures(shown.certificates, self._identities.get))
        return shown


def _read(payload: bytes) -> Shown:
    dossier = Dossier.from_bytes(payload)
    signed = Signed.from_bytes(dossier.family, Family.KIND)
    family = Family.from_body(signed.body)
    named = {family.customer, *family.holders, *(family.mandate.spares if family.mandate is not None else ())}
    documents = [one for one in map(IdentityDocument.parse, dossier.identities) if one.fingerprint in named]
    return Shown(family, signed, documents, read_few(dossier.certificates))
