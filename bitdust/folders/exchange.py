"""What peers ask about folders: the rows of the packet table, and which sessions are those of peers."""

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.folders.fetching import MOST_NAMES, names_in
from bitdust.folders.folder import Folder
from bitdust.folders.journal import LIMIT, RUN, Journal
from bitdust.folders.keys import NAME
from bitdust.folders.limiting import PacedSource
from bitdust.folders.packing import pack
from bitdust.folders.peer import CHUNKS, NEWS, NONCE, RECORDS, SERVICE, FolderPeer
from bitdust.folders.portions import Portion
from bitdust.folders.records import origin_of
from bitdust.folders.serving import ChunkSource
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.schema import Bytes, Choice, Int, Optional, Struct, Text
from bitdust.wire.table import Answer, Request, Row, Who, ack

OWNER = "service_folder_sync"
_GREETING = Struct(
    {
        "service": Choice((SERVICE,)),
        "nonce": Bytes(NONCE),
        "proof": Bytes(32),
        "public": Optional(Bytes(32)),
        "name": Text(64),
    }
)
_RECORDS = Struct(
    {
        "kind": Choice((RECORDS,)),
        "folder": Bytes(16),
        "epoch": Bytes(16),
        "after": Int(),
        "left": Int(),
        "run": Bytes(RUN),
    }
)
_CHUNKS = Struct({"kind": Choice((CHUNKS,)), "folder": Bytes(16), "names": Bytes(NAME, MOST_NAMES * NAME)})
_NEWS = Struct({"kind": Choice((NEWS,)), "folder": Bytes(16), "epoch": Bytes(16), "seq": Int(), "left": Int()})
AT_ONCE = 5.0
"""Seconds that one answer with records may take where there is a limit: whoever asked gives up after a minute."""
COST = 5.0
"""Of a greeting: it is compared with every folder that is here."""


def _portion(journal: Journal, after: int, origin: bytes, limit: int) -> tuple[Portion, bytes, bytes]:
    portion = journal.since(after, limit, origin)
    return portion, journal.digest(), pack(portion.records)


class Exchange:
    """I know the peers of all folders. ``folders`` gives those that are open."""

    def __init__(self, around: Connected, folders: Callable[[], list[Folder]]) -> None:
        self._around = around
        self._folders = folders

    def rows(self) -> list[Row]:
        """The rows of the packet table."""
        anyone = Who.ANYONE
        return [
            Row(Command.REQUEST_SERVICE, SERVICE, _GREETING, 0, anyone, OWNER, self._greeted,
                becomes=("folder_peer", "admitted"), cost=COST),
            Row(Command.RETRIEVE, RECORDS, _RECORDS, 0, anyone, OWNER, self._records),
            Row(Command.RETRIEVE, CHUNKS, _CHUNKS, 0, anyone, OWNER, self._chunks),
            Row(Command.EVENT, NEWS, _NEWS, 0, anyone, OWNER, self._news, becomes=("folder_peer", "news")),
        ]  # fmt: skip

    # my side

    def greet(self, folder: Folder, session: Any) -> None:
        """Ask whoever is at the other end whether it has this folder too, unless the session gave way to another."""
        if all(one is not session for one in self._around.sessions.sessions()):
            return
        peer = folder.peers.get(session.peer.device)
        if folder.is_meeting and (peer is None or peer.session is not session):
            self._peer(folder, session).machine.send("greet")

    def _peer(self, folder: Folder, session: Any) -> FolderPeer:
        peer = folder.peers.get(session.peer.device)
        if peer is None or peer.session is not session:
            if peer is not None:
                peer.machine.send("lost")
            peer = folder.peers[session.peer.device] = FolderPeer(folder, session)
        return peer

    def session_over(self, session: Any) -> None:
        """Nothing more comes over it."""
        for folder in self._folders():
            peer = folder.peers.get(session.peer.device)
            if peer is not None and peer.session is session:
                peer.machine.send("lost")

    # their side

    def _session_of(self, request: Request) -> Any:
        who = (request.peer.fingerprint, request.peer.device)
        sessions = self._around.sessions.sessions()
        found = next((one for one in sessions if (one.peer.fingerprint, one.peer.device) == who), None)
        if found is None:
            raise BitDustError("session-lost", "the session is over")
        return found

    async def _greeted(self, request: Request) -> Answer:
        fields, theirs, mine = request.fields, request.peer.device, self._around.me.device.id
        for folder in self._folders():
            keys = folder.store.keys
            if folder.is_meeting and keys.proves(fields["proof"], "greeting", fields["nonce"], theirs, mine):
                peer = self._peer(folder, self._session_of(request))
                await peer.learn(fields.get("public"), fields["name"])
                nonce = self._around.world.entropy(NONCE)
                proof = keys.proof("answer", fields["nonce"], nonce, mine, theirs)
                self._around.world.clock.callLater(0, peer.admit)
                shown = {"public": keys.public} if keys.public is not None else {}
                return ack(nonce=nonce, proof=proof, name=folder.name(), **shown)
        raise BitDustError("not-found", "no folder of that secret is here")

    def _admitted(self, request: Request) -> tuple[Folder, FolderPeer]:
        for folder in self._folders():
            peer = folder.peers.get(request.peer.device)
            if peer is not None and peer.admitted and peer.tag == request.fields["folder"]:
                return folder, peer
        raise BitDustError("not-allowed", "prove first that you hold a secret of that folder")

    async def _records(self, request: Request) -> Answer:
        folder, peer = self._admitted(request)
        fields, store = request.fields, folder.store
        peer.behind, peer.run = fields["left"], fields["run"]
        journal = store.journal
        after = fields["after"] if fields["epoch"] == journal.epoch and fields["after"] <= journal.last else 0
        await store.run(journal.note_told, peer.device, after)
        peer.knows = after
        origin = origin_of(peer.device, fields["run"])
        limit = folder.limits.part(peer.session.address, LIMIT, AT_ONCE)
        portion, digest, payload = await store.run(_portion, journal, after, origin, limit)
        await folder.limits.may_go(peer.session.address, len(payload), is_urgent=True)
        peer.sent += len(payload)
        told = {"epoch": journal.epoch, "run": journal.run, "upto": portion.upto, "more": portion.more}
        told["digest"] = digest
        return Answer(Command.DATA, told, payload)

    def _chunks(self, request: Request) -> "Deferred[Answer]":
        folder, peer = self._admitted(request)
        source = folder.store.serve(names_in(request.fields["names"]))

        def answered(found: ChunkSource) -> Answer:
            peer.sent += found.size
            folder.sent += found.size
            may_go = partial(folder.limits.may_go, peer.session.address)
            part = partial(folder.limits.part, peer.session.address)
            return Answer(Command.DATA, {}, PacedSource(found, may_go, part))

        return source.addCallback(answered)

    def _news(self, request: Request) -> Answer:
        _, peer = self._admitted(request)
        peer.heard(request.fields["epoch"], request.fields["seq"], request.fields["left"])
        return ack()

    def is_peer(self, fingerprint: bytes) -> bool:
        """Whether somebody takes part in a folder here."""
        return any(
            peer.admitted and peer.fingerprint == fingerprint
            for folder in self._folders()
            for peer in folder.peers.values()
        )
