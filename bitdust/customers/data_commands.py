"""Commands about pieces and catalog logs: of the owner itself, or under a capability that it gave (`access`)."""

from bitdust.crypt.possession import LeafChain
from bitdust.customers.access import Access, Admission
from bitdust.customers.contract_commands import read_signed
from bitdust.customers.logs import ReceivedEntry
from bitdust.customers.names import PieceName
from bitdust.customers.quota import Usage
from bitdust.customers.store import SupplierStore
from bitdust.formats.log_packet import MAX_PACKET, LogPacket, SmallPiece
from bitdust.formats.orders import DELETE_KIND, DeleteOrder
from bitdust.formats.proof import to_bytes
from bitdust.signal import Signal
from bitdust.wire.capability import Right
from bitdust.wire.encoding import encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.news import DELETIONS, LOG, ROOM
from bitdust.wire.packet import Command
from bitdust.wire.records import Head, PackRecord
from bitdust.wire.signed import Signed
from bitdust.wire.table import Answer, Device, Request, ack

EVERYBODY = b""
"""What is new in this is reported to the device that brought it, too."""


class DataCommands:
    """I take pieces and log entries, and give them back. ``brought`` names owner, device and kind of what came."""

    def __init__(self, store: SupplierStore, admission: Admission) -> None:
        self._store = store
        self._admission = admission
        self.brought: Signal[[bytes, bytes, str]] = Signal()
        self.appended: Signal[[bytes, bytes, bytes]] = Signal()
        """Owner, scope and bringing device of entries that belong to a key other than the master."""
        self.read: Signal[[bytes, bytes, bytes]] = Signal()
        """Owner and scope of logs that somebody else who was let in has asked for, and who that is."""

    # what comes to stay

    async def data_piece(self, request: Request) -> Answer:
        """Take one piece; the answer comes after it is on the disk."""
        access = self._admission.access(request)
        signed = Signed.from_bytes(request.fields["record"], PackRecord.KIND)
        record = PackRecord.from_body(signed.body)
        access.need_owner(record.owner)
        access.need_scope(record.scope)
        self._admission.pack_signer(request, access, signed)
        if request.packet.size != record.piece_size:
            raise BitDustError("bad-piece", f"the piece must have {record.piece_size} bytes")
        name = PieceName(access.owner, record.pack, request.fields["index"])
        try:
            intake = self._store.receive(name, record, request.fields["record"], access.grant, request.peer.fingerprint)
        except BitDustError as error:
            if error.code == "no-space":
                self._watch_room(access, self._store.usage(access.owner))
            raise
        try:
            await request.payload.stream_to(intake.write)
        except BaseException:
            await intake.abort()
            raise
        now = await intake.store()
        self._watch_room(access, now)
        return ack(used=now.used, room=now.room, taken=now.charged)

    def _watch_room(self, access: Access, now: Usage) -> None:
        """No acknowledgement tells an owner that guests fill its room: it hears that more than half of it is taken."""
        if access.grant is not None and 2 * now.charged > now.room:
            self.brought.emit(access.owner, EVERYBODY, ROOM)

    async def data_log(self, request: Request) -> Answer:
        """Append entries to a device's catalog log, and take small pieces that belong to them, in one commit."""
        access = self._admission.access(request)
        signed = Signed.from_bytes(request.fields["head"], Head.KIND)
        head = Head.from_body(signed.body)
        packet = LogPacket.parse(await request.payload.read_all(MAX_PACKET))
        entries = [ReceivedEntry.parse(data) for data in packet.entries]
        access.need_owner(head.owner)
        access.need_scope(head.scope)
        for entry in entries:
            if (head.owner, head.device) != (entry.owner, entry.device):
                raise BitDustError("bad-field", "head and entry are not of one device")
            if (head.scope or b"") != entry.scope:
                raise BitDustError("bad-field", "head and entry are not of one log")
            if head.sequence < entry.sequence:
                raise BitDustError("stale", "the head is older than the entry")
        _need_shortened_rightly(head, access)
        if not self._admission.is_vouched(request, access, head, signed):
            self._check_writer(head, signed, self._admission.log_signer(request, access, signed), access)
        pieces = [(self._record_of(request, access, piece), piece) for piece in packet.pieces]
        kept = await self._store.append(entries, head, request.fields["head"], pieces, access.grant)
        self.brought.emit(access.owner, request.peer.device, LOG)
        if head.scope is not None and entries:
            self.appended.emit(access.owner, head.scope, request.peer.device)
        refused = [{"pack": name.pack, "index": name.number, "code": error.code[:40]} for name, error in kept.refused]
        now = kept.usage
        self._watch_room(access, now)
        return ack(sequence=kept.sequence, used=now.used, room=now.room, taken=now.charged, refused=refused)

    def _check_writer(self, head: Head, signed: Signed, signer: Device, access: Access) -> None:
        """A device signs its own heads; of the owner's, one that counts signs for another, which may count no more."""
        if head.device != signed.device and (access.grant is not None or signer.revoked is not None):
            raise BitDustError("bad-field", "head and entry are not of one device")
        if signer.revoked is not None and head.sequence > (signer.sequence or 0):
            raise BitDustError("bad-signature", "the device was revoked before it wrote this")

    def _record_of(self, request: Request, access: Access, piece: SmallPiece) -> PackRecord:
        """The verified pack record of a small piece. Raises not-allowed, bad-signature, bad-piece, bad-field."""
        if access.grant is not None and Right.WRITE not in access.grant.rights:
            raise BitDustError("not-allowed", f"this capability does not give the right to {Right.WRITE}")
        signed = Signed.from_bytes(piece.record, PackRecord.KIND)
        record = PackRecord.from_body(signed.body)
        access.need_owner(record.owner)
        access.need_scope(record.scope)
        self._admission.pack_signer(request, access, signed)
        if len(piece.data) != record.piece_size:
            raise BitDustError("bad-piece", f"the piece must have {record.piece_size} bytes")
        return record

    async def delete_file(self, request: Request) -> Answer:
        """Carry out the owner's signed order."""
        signed = await read_signed(request, DELETE_KIND)
        order = DeleteOrder.parse(signed.body, signed.device)
        self._admission.access(request).need_owner(order.owner)
        self._admission.signer(request.peer, signed)
        at_once = self._admission.is_owners_word(request, signed)
        freed = await self._store.delays.delete(order, at_once)
        waiting = [one for one in self._store.delays.of(order.owner) if one.device == order.device and not one.is_end]
        if at_once or not waiting:
            return ack(freed=freed)
        self.brought.emit(order.owner, EVERYBODY, DELETIONS)
        return ack(freed=freed, waits=waiting[0].packs, until=waiting[0].until)

    # what goes back

    async def retrieve_piece(self, request: Request) -> Answer:
        """Part of one piece, with its signed record."""
        access, fields = self._admission.access(request), request.fields
        name = PieceName(access.owner, fields["pack"], fields["index"])
        part, peer = (fields["offset"], fields["length"]), request.peer.fingerprint
        found = await self._store.find(name, *part, access.scope, peer)
        answer = {"kind": "piece", "record": found.signed, "offset": fields["offset"]}
        return Answer(Command.DATA, answer, found.source)

    async def retrieve_proof(self, request: Request) -> Answer:
        """A leaf of each piece that is named, with its Merkle path: which leaf, the chain says."""
        access, fields = self._admission.access(request), request.fields
        names = [PieceName(access.owner, one["pack"], one["index"]) for one in fields["pieces"]]
        chain = LeafChain(fields["nonce"], request.peer.fingerprint, request.packet.to)
        proven = await self._store.prove(names, chain, access.scope)
        return Answer(Command.DATA, {"kind": "proof", "chain": proven.chain}, to_bytes(proven.proofs))

    async def retrieve_log(self, request: Request) -> Answer:
        """Entries of one device's log, in order."""
        access, fields = self._admission.access(request), request.fields
        device, first, scope = fields["device"], fields["first"], fields.get("scope") or b""
        access.need_scope(scope)
        entries = self._store.entries(access.owner, device, first, fields["most"], scope)
        answer = {"kind": "log", "device": device, "first": first, "count": entries.count}
        return Answer(Command.DATA, answer, entries)

    async def retrieve_heads(self, request: Request) -> Answer:
        """The newest signed head of each log."""
        access = self._admission.access(request)
        if access.grant is not None and access.scope:
            self.read.emit(access.owner, access.scope, request.peer.fingerprint)
        return Answer(Command.DATA, {"kind": "heads"}, encode(self._store.heads(access.owner, access.scope)))

    async def list_files(self, request: Request) -> Answer:
        """Which pieces are kept, page by page."""
        access, fields = self._admission.access(request), request.fields
        page = self._store.listing(access.owner, fields["after"], fields["most"], access.scope)
        return Answer(Command.FILES, {"more": page.more}, encode([list(piece) for piece in page.pieces]))


def _need_shortened_rightly(head: Head, access: Access) -> None:
    """Who is let in shortens what it has said, and nobody else's log; what tells of files its owner alone shortens."""
    if access.grant is None:
        return
    if head.covers is not None or (head.first is not None and Right.WRITE in access.grant.rights):
        raise BitDustError("not-allowed", "under a capability for files a log only grows; its owner alone shortens it")
