"""One folder at one device of a peer: the port of its `folder_peer`, and what this node asks of it.

What travels (chunks with four bytes of length before each)::

    RequestService folder_sync   {nonce, proof, public?, name}          → Ack {nonce, proof, public?, name}
    Retrieve folder-records      {folder, epoch, after, left, run}      → Data {epoch, run, upto, more, digest}, records
    Retrieve folder-chunks       {folder, names}                        → Data, sealed chunks
    Event folder-news            {folder, epoch, seq, left}             → Ack

``proof`` is HMAC-SHA-256 under the folder's admission key of both nonces and both device ids, which the session has
proved: nobody can pass it on, and who holds no secret learns neither which folder it is nor whether it is here.
``folder`` names it in this session. ``left`` are bytes that the sender has still to get. ``run`` is which time it is
that a journal is open: what a peer was told in the same run is not told back. A peer that has lost what it knew, or has
it from an old copy, is in another run, and is told all of it. Where ``digest`` shows that two who have told each other
everything do not know the same, each asks once more from the beginning, with nothing left out.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.folder_peer import FolderPeer as Automat
from bitdust.automats.kernel import doubled
from bitdust.folders.config import FolderConfig
from bitdust.folders.fetching import Parting
from bitdust.folders.journal import MOST_PEERS, RUN, Journal
from bitdust.folders.limiting import FolderLimits
from bitdust.folders.portions import Taken
from bitdust.folders.records import MAX_RECORD, origin_of
from bitdust.folders.store import Store
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command

SERVICE = "folder_sync"
RECORDS, CHUNKS, NEWS = "folder-records", "folder-chunks", "folder-news"
SECONDS = 60.0
SLOWLY = 600.0
"""Seconds between two parts of chunks from a peer that lets little go; a line that is dead is noticed before."""
SLACK = 64 * 1024
NONCE = 32
PAUSE, LONGEST_PAUSE = 5.0, 3600.0
"""Seconds between a failure and the next question; after a useless answer twice as many as after the one before."""


REFUSED = "records-refused"
NO_RUN = bytes(RUN)
"""Told by who wants nothing to be left out."""


def _differs(journal: Journal, knew: int, digest: object) -> bool:
    """Whether a peer that knows all that is here knows something else as well, though it has told all of it."""
    return knew == journal.last and digest != journal.digest()


class Host(Protocol):
    """The folder, as far as its peers are concerned."""

    around: Connected
    config: FolderConfig
    store: Store
    limits: FolderLimits
    asked_afresh: set[bytes]
    """Devices that were asked for all that they know, since the folder was opened."""

    malformed: dict[bytes, int]
    """How many answers of a device, one after the other, were malformed, or records that were refused: another session
    does not make it better."""

    refused: set[bytes]
    """Devices of whose last records most were refused: that they have no further ones does not make it better."""

    def name(self) -> str:
        """How this node is called."""

    def left(self) -> int:
        """Bytes that are still to come."""

    def take(self, peer: "FolderPeer", payload: bytes, run: bytes, upto: int) -> "Deferred[Taken]":
        """Make records known here."""

    def peer_met(self, peer: "FolderPeer") -> None:
        """It holds a secret."""

    def peer_synced(self, peer: "FolderPeer") -> None:
        """All that it has told is known here."""

    def peer_left(self, peer: "FolderPeer") -> None:
        """It is no peer any more."""


class FolderPeer:
    """``session`` is proven. I am admitted when both have shown that they hold a secret."""

    def __init__(self, host: Host, session: Any) -> None:
        self._host = host
        self.session = session
        self.fingerprint: bytes = session.peer.fingerprint
        self.device: bytes = session.peer.device
        me = host.around.me.device.id
        self.tag = host.store.keys.proof("session", *sorted((me, self.device)))[:16]
        self.name = ""
        self.epoch, self.known = b"", 0
        self.run = b""
        """Which time it is that the peer's journal is open; empty until it has said so."""
        self._told: dict[str, Any] = {}
        self._more = self._is_expecting = self.admitted = False
        self.synced = 0
        """When all that the peer knows was known here last, seconds since the epoch; 0 while it is not."""
        self.behind = 0
        """Bytes that the peer has still to get."""
        self.knows = 0
        """Up to which number of this journal the peer has said that it knows it."""
        self._is_afresh = False
        self.received = self.sent = 0
        self.machine = Automat(host.around.registry, f"{host.config.label}-{self.device.hex()[:8]}", self)

    def _send(
        self, command: Command, fields: dict[str, Any], max_answer: int = SLACK, deadline: float = SECONDS
    ) -> "Deferred[Any]":
        return self._host.around.outbox.send(
            self.fingerprint, command, fields, deadline=deadline, max_answer=max_answer, session=self.session
        )

    # admission

    def greet(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._greet())

    async def _greet(self) -> None:
        keys, mine = self._host.store.keys, self._host.around.me.device.id
        nonce = self._host.around.world.entropy(NONCE)
        fields = {"service": SERVICE, "nonce": nonce, "name": self._host.name()}
        fields["proof"] = keys.proof("greeting", nonce, mine, self.device)
        if keys.public is not None:
            fields["public"] = keys.public
        reply = await self._send(Command.REQUEST_SERVICE, fields)
        answer = reply.fields
        theirs, proof = answer.get("nonce"), answer.get("proof")
        if not isinstance(theirs, bytes) or not isinstance(proof, bytes):
            raise BitDustError("malformed", "an answer without a proof")
        if not keys.proves(proof, "answer", nonce, theirs, self.device, mine):
            raise BitDustError("not-allowed", "whoever answers holds no secret of this folder")
        await self.learn(answer.get("public"), answer.get("name"))

    async def learn(self, public: Any, name: Any) -> None:
        """What the peer has told of itself; the writers' key is checked by the secret."""
        self.name = name[:64] if isinstance(name, str) else ""
        if isinstance(public, bytes) and self._host.store.keys.public is None:
            await self._host.store.run(self._host.store.journal.learn_public, public)

    def met(self) -> None:
        self.admitted = True
        self._host.peer_met(self)

    # records

    def pull(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._pull())

    async def _pull(self) -> None:
        try:
            await self._ask_records()
        except BitDustError as error:
            if isinstance(error, WireError) or error.code in ("malformed", REFUSED):
                malformed = self._host.malformed
                malformed[self.device] = malformed.pop(self.device, 0) + 1
                if len(malformed) > MOST_PEERS:
                    gone = next(iter(malformed))
                    del malformed[gone]
                    self._host.refused.discard(gone)
            raise
        if self.device not in self._host.refused:
            self._host.malformed.pop(self.device, None)

    def pause(self) -> float:
        return doubled(PAUSE, self._host.malformed.get(self.device, 0), LONGEST_PAUSE)

    def is_wary(self) -> bool:
        return self.device in self._host.malformed

    async def _ask_records(self) -> None:
        self.synced, self._is_expecting = 0, False
        store = self._host.store
        if not self.epoch:
            self.epoch, self.known = await store.run(store.journal.known_of, self.device)
        knew = self.knows
        asked = {"kind": RECORDS, "folder": self.tag, "epoch": self.epoch, "after": self.known}
        asked |= {"left": self._host.left(), "run": NO_RUN if self._is_afresh else store.journal.run}
        reply = await self._send(Command.RETRIEVE, asked, MAX_RECORD + SLACK)
        fields = reply.fields
        epoch, upto, run = fields.get("epoch"), fields.get("upto"), fields.get("run")
        if not isinstance(epoch, bytes) or len(epoch) != 16 or type(upto) is not int or upto < 0:
            raise BitDustError("malformed", "an answer about records without their numbers")
        if not isinstance(run, bytes) or len(run) != RUN:
            raise BitDustError("malformed", "an answer about records that does not say whose they are")
        self.received += len(reply.payload)
        self.epoch, self.run = epoch, run
        taken = await self._host.take(self, bytes(reply.payload), run, upto)
        self.known, self._more = upto, bool(fields.get("more"))
        self._judge(taken)
        if not self._more:
            self._is_afresh = False
            asked_afresh = self._host.asked_afresh
            is_first = self.device not in asked_afresh and len(asked_afresh) < MOST_PEERS
            if is_first and await store.run(_differs, store.journal, knew, fields.get("digest")):
                asked_afresh.add(self.device)
                self.known, self._more, self._is_afresh = 0, True, True

    def _judge(self, taken: Taken) -> None:
        """What a peer has told is done with, good or not; who tells records that are none has to wait."""
        if taken.is_useless:
            self._host.refused.add(self.device)
            raise BitDustError(REFUSED, f"{taken.refused} of {taken.brought} records were refused: {taken.problem}")
        if taken.brought:
            self._host.refused.discard(self.device)

    def has_more(self) -> bool:
        return self._more or self._is_expecting

    def expect(self) -> None:
        self._is_expecting = True

    def admit(self) -> None:
        """The peer has proved itself by greeting first."""
        self.machine.send("admitted")

    def together(self) -> None:
        self.synced = int(self._host.around.world.wall())
        self._host.peer_synced(self)

    def left(self) -> None:
        self.admitted = False
        self._host.peer_left(self)

    # chunks

    def ask_chunks(self, names: Sequence[bytes], size: int) -> "Deferred[list[bytes | None]]":
        """See `bitdust.folders.fetching.Source`."""
        fields = {"kind": CHUNKS, "folder": self.tag, "names": b"".join(names)}
        asking = self._host.limits.may_come(self.session.address, size)
        asking.addCallback(lambda _: self._ask(fields, size + SLACK))
        return asking.addCallback(self._chunks, len(names))

    def _ask(self, fields: dict[str, Any], most: int) -> "Deferred[Any]":
        outbox, session = self._host.around.outbox, self.session
        return outbox.send(
            self.fingerprint, Command.RETRIEVE, fields, deadline=SLOWLY, max_answer=most, session=session,
            gather=Parting,
        )  # fmt: skip

    def _chunks(self, reply: Any, count: int) -> list[bytes | None]:
        self.received += reply.packet.size
        found: list[bytes | None] = reply.gathered.end(count)
        return found

    # news

    def tell(self) -> None:
        """There are records here that the peer has not asked for, or something else to say."""
        journal = self._host.store.journal
        news = {
            "epoch": journal.epoch,
            "seq": journal.newest_for(origin_of(self.device, self.run)),
            "left": self._host.left(),
        }
        if self.admitted and news != self._told:
            self._told = news
            self._send(Command.EVENT, {"kind": NEWS, "folder": self.tag} | news).addErrback(self._not_told)

    def _not_told(self, _: object) -> None:
        self._told = {}

    def heard(self, epoch: bytes, seq: int, left: int) -> None:
        """The peer has told of news."""
        self.behind = left
        if epoch != self.epoch or seq > self.known:
            self.machine.send("news")
