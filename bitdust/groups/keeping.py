"""What a member who keeps a group answers to the others: it takes their entries, and gives what it has.

A packet is judged by the capability that its sender shows, as at a supplier, and by the creator's word about which of
them count no more; the creator needs none.
"""

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.crypt.capabilities import is_owners_word
from bitdust.customers.readers import Place, Readers
from bitdust.formats.log_packet import MAX_PACKET, LogPacket
from bitdust.groups.keepers import GROUP_HEADS, GROUP_LOG, GROUP_PARTS
from bitdust.groups.opened import Discussion
from bitdust.identity.document import IdentityDocument
from bitdust.storage.shared.parts import MOST_PARTS
from bitdust.surroundings import Connected
from bitdust.wire.capability import MOST_DAYS, Capability, Right, ShownCapability
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.schema import Bytes, Choice, Flag, Int, ListOf, Optional, Schema, Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack

SERVICE = "service_joint_postman"
MOST_CHECKED = 1000
MOST_GIVEN = 1024 * 1024
"""Bytes of one answer, unless a single entry is larger."""
FIND = "this group is not open here"
Handler = Callable[[Request, Discussion], Coroutine[Any, Any, Answer]]


class Keeping:
    """I am the keeper's side of all groups that are open here; ``find`` gives the one of a scope."""

    def __init__(
        self, around: Connected, find: Callable[[bytes], Discussion | None], kept: Callable[[], list[Place]]
    ) -> None:
        """``kept`` names owner and scope of those that this node is to keep."""
        self._world = around.world
        self._find = find
        self._checked: OrderedDict[tuple[bytes, int, ShownCapability], None] = OrderedDict()
        self.readers = Readers(around, self._heads, kept)

    def _heads(self, owner: bytes, scope: bytes) -> list[bytes]:
        group = self._find(scope)
        return group.log.heads() if group is not None and group.log.catalog.is_open else []

    def rows(self) -> list[Row]:
        """What members ask."""
        log: dict[str, Schema] = {"kind": Choice((GROUP_LOG,)), "scope": Bytes(16)}
        heads: dict[str, Schema] = {"kind": Choice((GROUP_HEADS,)), "scope": Bytes(16), "watch": Optional(Flag())}
        part: dict[str, Schema] = {"device": Bytes(8), "first": Int(1), "most": Int(1)}
        some = ListOf(Struct({"device": Bytes(8), "first": Int(1)}), MOST_PARTS, 1)
        parts: dict[str, Schema] = {"kind": Choice((GROUP_PARTS,)), "scope": Bytes(16), "parts": some, "most": Int(1)}
        give = Command.RETRIEVE
        return [
            self._row(Command.DATA, GROUP_LOG, log | {"head": Bytes(1, 4096)}, Right.LOG, self._take, MAX_PACKET),
            self._row(give, GROUP_LOG, log | part, Right.READ, self._give),
            self._row(give, GROUP_PARTS, parts, Right.READ, self._give_parts),
            self._row(give, GROUP_HEADS, heads, Right.READ, self._give_heads),
        ]

    def _row(
        self, command: Command, kind: str, fields: dict[str, Schema], right: Right, handler: Handler, most: int = 0
    ) -> Row:
        who, checked = Who.MEMBER | Who.CAPABILITY, lambda request: self._authorise(request, right)
        handle = self._handled(handler)
        return Row(command, kind, Struct(fields), most, who, SERVICE, handle, authorise=checked, gathers=True)

    # who may ask

    def _authorise(self, request: Request, right: Right) -> None:
        shown = ShownCapability.from_bytes(request.packet.capability or b"")
        grant = Capability.from_body(shown.body)
        group = self._find(grant.scope or b"")
        if group is None:
            raise BitDustError("not-found", FIND)
        if not grant.owner == request.packet.owner == group.owner or grant.holder != request.peer.fingerprint:
            raise BitDustError("not-allowed", "this capability is of another owner, or held by somebody else")
        now = self._world.wall()
        if not now < grant.ends <= now + MOST_DAYS * 86_400 or grant.id in group.shut_out():
            raise BitDustError("not-allowed", "this capability has ended, or was revoked")
        if right not in grant.rights:
            raise BitDustError("not-allowed", f"this capability does not give the right to {right}")
        self._need_signed(group.access.document, shown)
        group.vouch(request.peer)

    def _need_signed(self, document: IdentityDocument, shown: ShownCapability) -> None:
        """The same capability comes with each packet of a member: its signature is checked once."""
        checked = (document.fingerprint, document.revision, shown)
        if checked not in self._checked:
            if not is_owners_word(document, shown):
                raise WireError("bad-signature", "the capability is not signed by the group's creator")
            self._checked[checked] = None
            if len(self._checked) > MOST_CHECKED:
                self._checked.popitem(last=False)

    def _handled(self, handler: Handler) -> "Callable[[Request], Deferred[Answer]]":
        async def handle(request: Request) -> Answer:
            group = self._find(request.fields["scope"])
            if group is None or not group.log.catalog.is_open:
                raise BitDustError("not-found", FIND)
            shown = request.packet.capability
            if shown is None and request.peer.fingerprint != group.owner:
                raise BitDustError("not-allowed", "show the capability that the group's creator gave you")
            if shown is not None and request.packet.owner != group.owner:
                raise BitDustError("not-allowed", "this capability is for another group")
            return await handler(request, group)

        return lambda request: Deferred.fromCoroutine(handle(request))

    # what is answered

    async def _take(self, request: Request, group: Discussion) -> Answer:
        packet = LogPacket.parse(await request.payload.read_all(MAX_PACKET))
        if packet.pieces:
            raise BitDustError("bad-field", "members keep no pieces")
        peer = request.peer
        last = await group.log.take(request.fields["head"], packet.entries, peer)
        return ack(sequence=last)

    async def _give(self, request: Request, group: Discussion) -> Answer:
        fields = request.fields
        entries = group.log.give(fields["device"], fields["first"], min(fields["most"], MOST_GIVEN))
        answer = {"kind": GROUP_LOG, "device": fields["device"], "first": fields["first"], "count": len(entries)}
        return Answer(Command.DATA, answer, encode(entries))

    async def _give_parts(self, request: Request, group: Discussion) -> Answer:
        """The same of several parts, in the order in which they are asked for, up to the first entry that does not fit.

        So no question makes more be read than is answered.
        """
        left, given = min(request.fields["most"], MOST_GIVEN), []
        if len({part["device"] for part in request.fields["parts"]}) < len(request.fields["parts"]):
            raise BitDustError("bad-field", "a part can be asked for once")
        for part in request.fields["parts"]:
            entries = group.log.give(part["device"], part["first"], left) if left > 0 else []
            given.append(entries)
            left -= sum(map(len, entries))
            if part["first"] + len(entries) <= group.log.end_of(part["device"]):
                left = 0
        return Answer(Command.DATA, {"kind": GROUP_PARTS}, encode(given))

    async def _give_heads(self, request: Request, group: Discussion) -> Answer:
        peer = request.peer
        change = self.readers.note if request.fields.get("watch") else self.readers.forget
        change(group.owner, request.fields["scope"], peer.fingerprint, peer.device)
        group.read_by(request.peer.fingerprint)
        return Answer(Command.DATA, {"kind": GROUP_HEADS}, encode(group.log.heads()))
