"""Spares that stood in for members of my family while I was away: found, read from, and confirmed or dismissed.

Every member that is connected is asked for the certificates of my family. They are judged as everybody judges them, but
one that is over still says where pieces are. Until it is decided about a place its spare is read in the place of a
member that is not there. To confirm is to give the place to the spare in my family record, with the one who is gone
beside it as leaving. To dismiss is to write the record again, after which no certificate of it counts, and to release
the spare's contract, on which it erases what it has.
"""

from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.spare_decision import SpareDecision
from bitdust.crypt.spare_votes import Bench, prove, read_few, signatures
from bitdust.identity.awaited import FAMILY
from bitdust.identity.document import IdentityDocument
from bitdust.outcome import outcome
from bitdust.peers.again import NOT_YET, AskAgain
from bitdust.peers.presence import Presence
from bitdust.peers.shown import Names, show_name
from bitdust.signal import Disconnect, Signal
from bitdust.suppliers.contracts import ContractBook, Wish, verify_contract
from bitdust.suppliers.dismissals import Dismissals
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.membership import Membership
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.healing import MAX_DOSSIER, Dossier, SpareCertificate
from bitdust.wire.packet import Command
from bitdust.wire.records import Family

CONFIRM = "services/employer/confirm-spares-enabled"
ASK_SECONDS = 20.0


@frozen
class SpareShown:
    """One place with a spare: who was gone, who stands in, since when, and how far it is decided."""

    position: int
    gone: bytes
    spare: bytes
    since: int
    state: str


@frozen
class FoundSpare:
    """The port of the machine of one place."""

    spares: "OwnSpares"
    position: int

    def may_decide(self) -> bool:
        return self.spares.may_decide()

    def is_back(self) -> bool:
        return self.spares.is_back(self.position)

    def ask(self) -> "Deferred[Any]":
        return self.spares.ask(self.position)

    def confirm(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self.spares.confirm(self.position))

    def lapse(self) -> None:
        self.spares.lapse(self.position)

    def dismiss(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self.spares.dismiss(self.position))


class OwnSpares:
    """I know the spares of my family from `start` to `stop`; ``changed`` says that others are known."""

    log = Logger()

    def __init__(self, around: Connected, family: MyFamily, book: ContractBook, presence: Presence) -> None:
        self._around = around
        self._settings = around.settings
        self._identities = around.identities
        self._outbox = around.outbox
        self._family = family
        self._book = book
        self._presence = presence
        self._membership = Membership(around, family)
        self._dismissals = Dismissals(around.world.home / "metadata" / "dismissals")
        self._found: dict[int, SpareCertificate] = {}
        self._machines: dict[int, SpareDecision] = {}
        self._is_open = False
        self._again = AskAgain(around.world.clock, around.sessions.connected, self._ask_for_spares)
        self._disconnect: Disconnect = lambda: None
        self.changed: Signal[[]] = Signal()

    def start(self) -> None:
        """Find spares from now on."""
        self._is_open = True
        self._dismissals.load()
        self._disconnect = self._family.changed.connect(self._forget_the_decided)

    def stop(self) -> None:
        """Decide nothing any more; certificates are found again."""
        self._is_open = False
        self._again.stop()
        self._disconnect()
        machines, self._machines, self._found = self._machines, {}, {}
        for machine in machines.values():
            machine.send("shutdown")

    # finding them

    def supplier_connected(self, supplier: bytes) -> None:
        """A member answers: it may know of certificates, and say so a little later than it renews the contract."""
        self._again.forget(supplier)
        self._ask_for_spares(supplier)

    def _ask_for_spares(self, supplier: bytes) -> None:
        if self._is_open:
            asking = Deferred.fromCoroutine(self._learn(supplier))
            asking.addErrback(lambda failure: self.log.info("no spares were heard of: {why}", why=failure.value))

    async def _learn(self, supplier: bytes) -> None:
        fields = {"kind": "spares", "customer": self._around.me.fingerprint}
        asked = await outcome(
            self._outbox.send(supplier, Command.RETRIEVE, fields, deadline=ASK_SECONDS, max_answer=MAX_DOSSIER)
        )
        if asked.code in NOT_YET and self._is_open:
            self._again.later(supplier)
            return
        self._again.forget(supplier)
        if asked.error is None and self._is_open:
            await self.take(bytes(asked.value.payload))

    async def take(self, payload: bytes) -> None:
        """Keep what counts of a dossier that a member has given. Raises `WireError`."""
        in_thread = self._around.world.run_in_thread
        documents, came = await in_thread(_read, payload)
        family = self._family.current
        if not self._is_open or family is None or family.mandate is None:
            return
        named = {*family.holders, *family.mandate.spares}
        for document in documents:
            if document.fingerprint in named:
                self._identities.keep(document)
        await in_thread(prove, signatures(came, self._identities.get))
        if self._is_open and self._family.current is family:
            self._take(family, came)

    def _take(self, family: Family, came: list[SpareCertificate]) -> None:
        came = [one for one in came if not self._dismissals.has(one.terms)]
        known, connected = [*self._found.values()], self._around.sessions.connected
        # One of an older record still says where pieces are, where nobody has said anything else since.
        came = [one for one in came if one.terms.revision == family.revision or not connected(one.terms.gone)]
        taken: set[int] = set()
        for revision in sorted({one.terms.revision for one in (*known, *came)}, reverse=True):
            bench = Bench(evolve(family, revision=revision), self._identities.get, None)
            # Of what came only a few are judged: what is known does not give way to them.
            bench = bench.with_all(one for one in known if one.terms.revision == revision)
            bench = bench.with_all(one for one in came if one.terms.revision == revision)
            for certificate in bench.certificates:
                if certificate.terms.place not in taken:
                    taken.add(certificate.terms.place)
                    self._note(certificate)

    def _note(self, certificate: SpareCertificate) -> None:
        place, known = certificate.terms.place, self._found.get(certificate.terms.place)
        self._found[place] = certificate
        if known is not None and known.terms == certificate.terms:
            return
        spare = certificate.terms.spare
        self._presence.watch(spare)
        meeting = self._around.sessions.session_to(spare)
        meeting.addCallbacks(lambda _: self.changed.emit(), lambda _: None)
        old = self._machines.pop(place, None)
        if old is not None:
            old.send("shutdown")
        self._machines[place] = SpareDecision(self._around.registry, str(place), FoundSpare(self, place))
        self._report("spare-found", place)
        self.changed.emit()

    def _report(self, event: str, position: int) -> None:
        terms = self._found[position].terms
        names = Names.of(self._identities, terms.spare)
        data = {
            "position": position,
            "idurl": names.idurl,
            "global_id": show_name(self._identities, terms.spare),
            "instead_of": show_name(self._identities, terms.gone),
        }
        self._around.events.send(event, data)

    def _forget_the_decided(self) -> None:
        """The record has changed: of a place that is somebody else's now nothing is left to decide."""
        family = self._family.current
        for place, certificate in list(self._found.items()):
            machine, gone = self._machines.get(place), certificate.terms.gone
            busy = machine is not None and machine.state in ("CONFIRMING", "DISMISSING", "UNHEARD")
            if not busy and (family is None or place >= family.n or family.suppliers[place] != gone):
                self._found.pop(place)
                old = self._machines.pop(place, None)
                if old is not None:
                    old.send("shutdown")

    # what others ask

    def of(self, position: int) -> bytes | None:
        """Who stands in at a place."""
        certificate = self._found.get(position)
        return certificate.terms.spare if certificate is not None else None

    def known(self) -> list[bytes]:
        """All spares."""
        return [certificate.terms.spare for certificate in self._found.values()]

    def shown(self) -> list[SpareShown]:
        """One entry a place with a spare, in order."""
        return [
            SpareShown(place, one.terms.gone, one.terms.spare, one.time, self._machines[place].state)
            for place, one in sorted(self._found.items())
            if place in self._machines
        ]

    def stand_in(self, family: Family | None) -> Family | None:
        """My family as it can be read now: a spare that is there has the place of a member that is not."""
        if family is None or not self._found:
            return family
        sessions, suppliers = self._around.sessions, list(family.suppliers)
        for place, certificate in self._found.items():
            spare, gone = certificate.terms.spare, certificate.terms.gone
            if (
                place < len(suppliers)
                and suppliers[place] == gone
                and not sessions.connected(gone)
                and sessions.connected(spare)
            ):
                suppliers[place] = spare
        return evolve(family, suppliers=suppliers)

    def decide(self, position: int, confirm: bool) -> None:
        """A person's word about the spare of a place. Raises `BitDustError` ``not-found``, ``recovering``."""
        machine = self._machines.get(position)
        if machine is None:
            raise BitDustError("not-found", f"no spare stands in at position {position}")
        if self._around.me.awaits(FAMILY):
            raise BitDustError("recovering", "the newest family of this recovered node is not known yet")
        machine.send("confirm" if confirm else "dismiss")

    # the port of spare_decision

    def may_decide(self) -> bool:
        if self._around.me.awaits(FAMILY) or self._family.inherited:
            return False
        return bool(self._settings.get(CONFIRM))

    def is_back(self, position: int) -> bool:
        return self._around.sessions.connected(self._found[position].terms.gone)

    def ask(self, position: int) -> "Deferred[Any]":
        fields = {"kind": "spare-status", "customer": self._around.me.fingerprint}
        spare = self._found[position].terms.spare
        return self._outbox.send(spare, Command.RETRIEVE, fields, deadline=ASK_SECONDS)

    async def confirm(self, position: int) -> None:
        """Give the place to the spare. Raises `BitDustError` where my record has changed meanwhile."""
        family, terms = self._family.current, self._found[position].terms
        if family is None or position >= family.n or family.suppliers[position] != terms.gone:
            raise BitDustError("stale", "the place has changed hands meanwhile")
        addresses = [*self._around.sessions.known_addresses(terms.spare), None]
        if not self._membership.give(position, terms.spare, addresses[0]):
            raise BitDustError("stale", "as many as there is room for leave their places now; nobody else can")
        self._report("spare-confirmed", position)
        self._done(position)

    def _done(self, position: int) -> None:
        """Decided; the machine ends by itself."""
        self._found.pop(position, None)
        self._machines.pop(position, None)
        self.changed.emit()

    def lapse(self, position: int) -> None:
        family, terms = self._family.current, self._found[position].terms
        self._dismissals.note(terms)
        if family is None or family.revision != terms.revision:
            return
        try:
            self._family.write(family.suppliers, family.addresses or [None] * family.n)
        except OSError as error:
            self.log.warn("a family that a spare does not know cannot be written down: {error}", error=error)

    async def dismiss(self, position: int) -> None:
        """Release the spare's contract. Raises `BitDustError` where the spare does not answer, or shows no contract."""
        spare, family = self._found[position].terms.spare, self._family.current
        asked = await outcome(self.ask(position))
        if asked.code == "no-contract":
            self._done(position)
            return
        if asked.error is not None:
            raise asked.error
        document, data = self._identities.get(spare), asked.value.fields.get("contract")
        if not isinstance(data, bytes) or document is None or family is None:
            raise WireError("bad-contract", "the spare shows no contract")
        wish = Wish(room=0, n=family.n, position=position, least=0)
        if spare not in self._family.holders:
            self._book.save(verify_contract(data, document, self._around.me.fingerprint, wish))
            self._book.release(spare)
        self._report("spare-dismissed", position)
        self._done(position)


def _read(payload: bytes) -> tuple[list[IdentityDocument], list[SpareCertificate]]:
    """The documents and certificates of a dossier, in a thread. Raises `WireError`."""
    dossier = Dossier.from_bytes(payload)
    return list(map(IdentityDocument.parse, dossier.identities)), read_few(dossier.certificates)
