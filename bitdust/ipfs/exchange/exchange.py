"""The exchange: sessions that fetch what is missing here, and figures of all that came and went."""

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger

from bitdust.blocks.store import BlockStore
from bitdust.ipfs.exchange.partners import Counts, Key, Partner, Partners
from bitdust.ipfs.exchange.serving import Serving
from bitdust.ipfs.exchange.session import Session
from bitdust.ipfs.exchange.wire import BLOCKS, HAVES, MOST_BYTES, MOST_CIDS, Given, sizes_of, split_answer
from bitdust.ipld.cid import LONGEST_BLOCK, Cid
from bitdust.ipld.errors import FormatError
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.table import Who

SECONDS = 10.0
"""Without a byte from a partner, after which it is no use."""
MOST_FETCHED = 48
MOST_ANSWER = MOST_BYTES + LONGEST_BLOCK
Providers = Callable[[Cid], "Deferred[Iterable[Key]]"]


class Exchange:
    """A source of blocks for the store: `fetch` belongs to the session that expects a block, or to one of its own."""

    log = Logger()

    def __init__(
        self,
        around: Connected,
        store: Callable[[], BlockStore],
        has_role: Callable[[Who, bytes], bool],
        providers: Providers,
    ) -> None:
        self._registry = around.registry
        self._outbox = around.outbox
        self._sessions_of_node = around.sessions
        self._providers = providers
        self.partners = Partners(around, has_role)
        self.counts = Counts()
        self.serving = Serving(around.world.clock, around.settings, store, self.partners, self.counts, has_role)
        self.slots = DeferredSemaphore(MOST_FETCHED)
        """Of blocks that calls ask the store for: it takes few more."""
        self._numbers = count(1)
        self._sessions: dict[Session, None] = {}
        self._expected: dict[bytes, Session] = {}
        self._forget_watch: Callable[[], None] = lambda: None

    # life

    def open(self) -> None:
        """Begin."""
        self._forget_watch = self._sessions_of_node.on_session(self._session_changed)

    def close(self) -> None:
        """Fetch nothing any more."""
        self._forget_watch()
        self.serving.stop()
        for session in list(self._sessions):
            session.stop()

    def _session_changed(self, _: Any, is_up: bool) -> None:
        for session in list(self._sessions) if is_up else ():
            session.partner_came()

    # fetching

    def session(self, root: Cid, is_patient: bool = False) -> Session:
        """Fetch blocks of a root; `Session.stop` ends it. A patient one asks again while somebody waits."""
        number = next(self._numbers)
        session = Session(self._registry, self, root, f"{root} {number}", is_patient)
        self._sessions[session] = None
        return session

    def expect(self, session: Session, cids: Iterable[Cid]) -> None:
        """What is fetched of these belongs to this session."""
        for cid in cids:
            self._expected[cid.multihash] = session

    def fetch(self, cid: Cid) -> "Deferred[bytes | None]":
        """A block that is not here, for the store; None where nobody has it."""
        session = self._expected.pop(cid.multihash, None)
        if session is not None:
            return session.fetch(cid)
        session = self.session(cid)
        fetching = session.fetch(cid)
        fetching.addBoth(_and_stop, session)
        return fetching

    @property
    def sessions(self) -> list[Session]:
        """Those that have not ended."""
        return list(self._sessions)

    def wantlist(self) -> list[Cid]:
        """What is wanted now, each block once."""
        found = {cid.multihash: cid for session in self._sessions for cid in session.wants}
        return list(found.values())

    # what sessions ask

    def over(self, session: Session) -> None:
        """One has ended."""
        self._sessions.pop(session, None)
        for multihash in [one for one, other in self._expected.items() if other is session]:
            del self._expected[multihash]

    def partners_now(self) -> list[Partner]:
        """Who may be asked now."""
        return self.partners.connected()

    def find_providers(self, root: Cid) -> "Deferred[Any]":
        """Those who are found are asked like partners from now on."""
        return self._providers(root).addCallback(self._found)

    def _found(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.partners.name(key)

    def note_duplicate(self, size: int) -> None:
        """A block came that nobody waits for any more."""
        self.counts.duplicate_blocks += 1
        self.counts.duplicate_data += size

    def request(self, partner: Partner, cids: Sequence[Cid]) -> "Deferred[list[Given]]":
        """Ask for blocks, and compare what comes with its CIDs."""
        cids = cids[:MOST_CIDS]
        asking = self._send(partner, BLOCKS, cids)
        return asking.addCallback(lambda reply: self._judge(partner, cids, reply))

    def ask_haves(self, partner: Partner, cid: Cid) -> "Deferred[bool]":
        """Ask whether somebody has a block."""
        asking = self._send(partner, HAVES, [cid])
        return asking.addCallback(lambda reply: sizes_of(reply.fields, 1)[0] >= 0)

    def _send(self, partner: Partner, kind: str, cids: Sequence[Cid]) -> "Deferred[Any]":
        self.counts.messages += 1
        partner.ledger.messages += 1
        fields = {"kind": kind, "cids": [bytes(cid) for cid in cids]}
        asking = self._outbox.send(
            partner.key[0], Command.RETRIEVE, fields, deadline=SECONDS, max_answer=MOST_ANSWER, session=partner.session
        )
        return asking.addErrback(self._refused, partner)

    def _refused(self, failure: Any, partner: Partner) -> Any:
        code = getattr(failure.value, "code", "")
        if code == "not-allowed":
            partner.speaks = False
        elif code == "unknown-command":
            self.partners.note_ignorance(partner)
        return failure

    def _judge(self, partner: Partner, cids: Sequence[Cid], reply: Any) -> list[Given]:
        try:
            given = split_answer(cids, reply.fields, reply.payload)
        except (WireError, FormatError):
            self._is_lie(partner)
            raise
        if any(one.size >= 0 and not one.cid.matches(one.data) for one in given):
            self._is_lie(partner)
            raise BitDustError(
                "damaged-block", f"{partner.session.address} sent a block that is not what was asked for"
            )
        came = [one for one in given if one.size >= 0]
        size = sum(one.size for one in came)
        self.counts.blocks_received += len(came)
        self.counts.data_received += size
        partner.ledger.received += len(came)
        partner.ledger.received_bytes += size
        return given

    def _is_lie(self, partner: Partner) -> None:
        self.counts.lies += 1
        self.partners.ban(partner)
        self.log.warn("{peer} gave a false answer to a request for blocks", peer=partner.session.address)


def _and_stop(result: Any, session: Session) -> Any:
    session.stop()
    return result
