"""Newest identity documents, between those who are in touch: nobody is locked out because somebody else knows more.

A device that was away may show a document that is older than the one which its peer knows, or another one of the same
revision. The peer gives it what it knows; the device joins both and shows the result on all its sessions, and the peer
judges the session by that. A change of my own document goes the same way, to everybody at once. Documents carry their
owner's signature, so it does not matter who brings one.
"""

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from bitdust.identity.document import MAX_SIZE, IdentityDocument
from bitdust.identity.joining import join
from bitdust.outcome import outcome
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.packet import Command
from bitdust.wire.schema import Choice, Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack

KIND = "document"
SECONDS = 15.0


class Documents:
    """I bring documents to where they are wanted, from `start` to `stop`, and take those that come."""

    log = Logger()

    def __init__(self, around: Connected) -> None:
        self._me = around.me
        self._identities = around.identities
        self._sessions = around.sessions
        self._outbox = around.outbox
        self._shown: IdentityDocument | None = None
        self._removers: list[Callable[[], None]] = []

    def row(self) -> Row:
        """The row of the packet table by which documents come: everybody may bring its own, or mine."""
        fields = Struct({"kind": Choice((KIND,))})
        return Row(Command.IDENTITY, KIND, fields, MAX_SIZE, Who.ANYONE, "service_gateway", self._take)

    def start(self) -> None:
        """Follow sessions and documents from now on; may follow a `stop`."""
        self._shown = self._me.document
        self._removers = [
            self._sessions.on_session(self._session),
            self._identities.changed.connect(self._known),
            self._me.changed.connect(self._mine),
        ]

    def stop(self) -> None:
        """Bring nothing any more."""
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()

    def _session(self, session: Any, up: bool) -> None:
        if not up:
            return
        if session.peer.fingerprint == self._me.fingerprint:
            self._join(session.peer.document)
        if session.told != self._me.document.xml:
            self._send(session, self._me.document)
        self._help(session)

    def _newest(self, fingerprint: bytes) -> IdentityDocument | None:
        return self._me.document if fingerprint == self._me.fingerprint else self._identities.get(fingerprint)

    def _help(self, session: Any) -> None:
        """Give a peer that shows less than is known what is known."""
        newest = self._newest(session.peer.fingerprint)
        if newest is not None and not session.shown.is_claim and newest.goes_before(session.shown):
            self._send(session, newest)

    def _known(self, document: IdentityDocument) -> None:
        """A newer document of somebody: other devices of the same owner may not know it yet."""
        for session in self._sessions.judge(document):
            self._help(session)

    def _mine(self) -> None:
        if not self._me.present or self._me.document == self._shown:
            return
        self._shown = self._me.document
        self._sessions.judge(self._shown)
        for session in self._sessions.sessions():
            self._send(session, self._shown)

    def _send(self, session: Any, document: IdentityDocument) -> None:
        sending = self._outbox.send(
            session.peer.fingerprint, Command.IDENTITY, {"kind": KIND}, document.xml, deadline=SECONDS, session=session
        )
        outcome(sending).addCallback(self._sent, session)

    def _sent(self, answer: Any, session: Any) -> None:
        """A session that ends has another one after it, on which the newest document is shown from the beginning."""
        if answer.error is not None:
            self.log.debug("{peer} did not take a document: {why}", peer=session.address, why=answer.error)

    async def _take(self, request: Request) -> Answer:
        document = IdentityDocument.parse(await request.payload.read_all(MAX_SIZE))
        peer = request.peer.fingerprint
        if document.fingerprint == self._me.fingerprint:
            self._join(document)
        elif document.fingerprint != peer or document.is_claim:
            raise WireError("not-allowed", "a peer brings its own document, or mine")
        session = self._session_of(request)
        if session is not None and document.fingerprint == peer and document.goes_before(session.shown):
            session.shown = document
        if peer != self._me.fingerprint:
            self._identities.accept(document)
        newest = self._newest(document.fingerprint) or document
        if document.fingerprint == peer:
            self._sessions.judge(newest)
        # Whoever brings me my own document judges me by an older one, however it became known here meanwhile.
        is_brought_back = document.fingerprint == self._me.fingerprint != peer
        if session is not None and (is_brought_back or newest.goes_before(document)):
            self._send(session, newest)
        return ack(revision=newest.revision)

    def _session_of(self, request: Request) -> Any:
        who = (request.peer.fingerprint, request.peer.device)
        sessions = self._sessions.sessions()
        return next((one for one in sessions if (one.peer.fingerprint, one.peer.device) == who), None)

    def _join(self, document: IdentityDocument) -> None:
        if join(self._me, document):
            revision = self._me.document.revision
            self.log.info("two devices of mine changed the identity: joined as revision {n}", n=revision)
