"""Messages to everybody: mine go to all who are connected, and nodes that route pass on what they hear.

Each is signed, and comes with the identity of who signed it, so nobody speaks for another. It counts for some minutes,
is heard once, and goes through a few nodes at most. Little is taken of one sender, of one peer, and of all together:
whoever has many names shares with all others what one network says.
"""

import json
from collections import OrderedDict
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.crypt.device import check_record
from bitdust.identity.document import MAX_SIZE, IdentityDocument
from bitdust.outcome import outcome, outcomes
from bitdust.scopes.reservations import Allowance
from bitdust.surroundings import Connected
from bitdust.wire.broadcast import MAX_SAID, Broadcast
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.schema import Bytes, Choice, Int, Struct, parse
from bitdust.wire.signed import Signed
from bitdust.wire.table import Answer, Request, Row, Who, ack

KIND = "broadcast"
SERVICE = "service_broadcasting"
HEARD = "broadcast-message-received"
ROUTING, CONNECTIONS = "services/broadcasting/routing-enabled", "services/broadcasting/max-broadcast-connections"
MOST_HOPS = 12
FRESH = 600.0
"""Seconds around its time in which a message counts."""
SECONDS = 15.0
MOST_TOLD = 64
"""Peers to whom a node says something of its own."""
REMEMBERED = 4000
"""Messages that are known as heard; no more can come within the time in which they count."""
COST = 20.0
OF_ONE, OF_PEER, OF_ALL = (1 / 60, 3.0), (0.5, 30.0), (2.0, 200.0)
"""A second, and at once: of one sender, of one peer that brings them, of all together."""
_CARRIED = Struct({"word": Bytes(1, MAX_SAID + 2048), "identity": Bytes(1, MAX_SIZE)})
MAX_CARRIED = MAX_SAID + MAX_SIZE + 4096


@frozen
class Carried:
    """A message on its way."""

    word: Signed
    record: Broadcast
    document: IdentityDocument

    def to_bytes(self) -> bytes:
        """Canonical bytes."""
        return encode({"word": self.word.to_bytes(), "identity": self.document.xml})

    @classmethod
    def checked(cls, word: Signed, record: Broadcast, identity: bytes) -> "Carried":
        """Raises `WireError` for an identity that is none, and for what is not signed by who says it, or no JSON."""
        document = IdentityDocument.parse(identity)
        device = document.device(word.device)
        if document.fingerprint != record.sender or device is None or device.revoked is not None:
            raise WireError("bad-signature", "this was not said by a device of its sender")
        check_record(word, device.key)
        said_of(record)
        return cls(word, record, document)


def said_of(record: Broadcast) -> dict[str, Any]:
    """What was said. Raises `WireError`."""
    try:
        said = json.loads(record.said)
    except (ValueError, RecursionError) as error:
        raise WireError("malformed", f"a broadcast is no JSON: {error}") from error
    if type(said) is not dict:
        raise WireError("malformed", "a broadcast is no JSON object")
    return said


class Broadcasts:
    """I say and hear, and pass on where the setting ``routing-enabled`` says so."""

    def __init__(self, around: Connected) -> None:
        self._world = around.world
        self._settings = around.settings
        self._events = around.events
        self._me = around.me
        self._sessions = around.sessions
        self._outbox = around.outbox
        self._identities = around.identities
        self._heard: OrderedDict[tuple[bytes, bytes], None] = OrderedDict()
        """Sender and id: nobody keeps a message out by using its id."""
        self._shares: OrderedDict[tuple[bool, bytes], Allowance] = OrderedDict()
        self._all = Allowance(around.world.clock, *OF_ALL)

    def row(self) -> Row:
        """The row of the packet table by which others say something."""
        fields = Struct({"kind": Choice((KIND,)), "hops": Int(0, MOST_HOPS)})
        return Row(
            Command.EVENT, KIND, fields, MAX_CARRIED, Who.ANYONE, SERVICE, self._hear, gathers=True, cost=COST
        )  # fmt: skip

    # saying

    def say(self, data: Any) -> "Deferred[int]":
        """Say something to everybody; fires with how many peers took it.

        Raises ``bad-message`` for what is no JSON object, ``too-large``, ``busy`` for too many, ``not-connected``.
        """
        if type(data) is not dict:
            raise BitDustError("bad-message", "the payload has to be a JSON object")
        said = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        if len(said) > MAX_SAID:
            raise BitDustError("too-large", f"at most {MAX_SAID} bytes are said to everybody; these are {len(said)}")
        peers = self._peers(but=set())[:MOST_TOLD]
        if not peers:
            raise BitDustError("not-connected", "no peer is connected who could pass it on")
        mine = self._me.fingerprint
        self._need_share(mine, mine)
        self._share(False, mine, OF_ONE).spend()
        now = int(self._world.wall() * 1000)
        record = Broadcast(self._world.entropy(16), self._me.fingerprint, now, said)
        word = self._me.sign(Broadcast.KIND, record.to_body())
        self._note(record)
        return self._tell(Carried(word, record, self._me.document), peers, 0)

    def _peers(self, but: set[bytes]) -> list[bytes]:
        """Who is connected, each once, in an order by chance."""
        found = {one.peer.fingerprint for one in self._sessions.sessions() if one.peer is not None}
        others = sorted(found - but - {self._me.fingerprint})
        return sorted(others, key=lambda who: self._world.entropy(8))

    def _tell(self, carried: Carried, peers: list[bytes], hops: int) -> "Deferred[int]":
        fields, payload = {"kind": KIND, "hops": hops}, carried.to_bytes()
        sending = [self._outbox.send(who, Command.EVENT, fields, payload, deadline=SECONDS) for who in peers]
        return outcomes(sending).addCallback(lambda ended: sum(one.error is None for one in ended))

    # hearing

    async def _hear(self, request: Request) -> Answer:
        value = parse(await request.payload.read_all(MAX_CARRIED), _CARRIED, MAX_CARRIED, "broadcast")
        word = Signed.from_bytes(value["word"], Broadcast.KIND)
        record, peer = Broadcast.from_body(word.body), request.peer.fingerprint
        if (record.sender, record.id) in self._heard or record.sender == self._me.fingerprint:
            return ack()
        if abs(self._world.wall() - record.time / 1000) > FRESH:
            raise BitDustError("stale", "this was said too long ago, or your clock or mine is wrong")
        self._need_share(record.sender, peer)
        self._share(True, peer, OF_PEER).spend()
        carried = Carried.checked(word, record, value["identity"])
        self._share(False, record.sender, OF_ONE).spend()
        self._all.spend()
        self._note(record)
        known = self._identities.get(record.sender)
        if known is not None and known.revision > carried.document.revision:
            device = known.device(carried.word.device)
            if device is None or device.revoked is not None:
                raise WireError("bad-signature", "the device that signed this was revoked")
        self._report(carried)
        if request.fields["hops"] < MOST_HOPS and self._settings.get(ROUTING):
            most = int(self._settings.get(CONNECTIONS))
            outcome(self._tell(carried, self._peers({peer, record.sender})[:most], request.fields["hops"] + 1))
        return ack()

    def _report(self, carried: Carried) -> None:
        record = carried.record
        shown = {"id": record.id.hex(), "fingerprint": record.sender.hex(), "time": record.time // 1000}
        names = {"global_id": carried.document.global_id, "remote_idurl": str(carried.document.idurl)}
        self._events.send(HEARD, shown | names | {"message": said_of(record)})

    def _note(self, record: Broadcast) -> None:
        self._heard[record.sender, record.id] = None
        if len(self._heard) > REMEMBERED:
            self._heard.popitem(last=False)

    def _need_share(self, sender: bytes, peer: bytes) -> None:
        """Raises ``busy``. What a peer brings costs its share before it is checked: a forgery is no sender's."""
        shares = (self._share(False, sender, OF_ONE), self._share(True, peer, OF_PEER), self._all)
        if any(share.left() < 1 for share in shares):
            raise BitDustError("busy", "more is said to everybody than is passed on; say it later")

    def _share(self, is_peer: bool, who: bytes, plan: tuple[float, float]) -> Allowance:
        share = self._shares.get((is_peer, who))
        if share is None:
            share = self._shares[is_peer, who] = Allowance(self._world.clock, *plan)
            if len(self._shares) > REMEMBERED:
                self._shares.popitem(last=False)
        self._shares.move_to_end((is_peer, who))
        return share
