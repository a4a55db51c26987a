"""What this node answers about private messages: envelopes for this device, and its prekeys."""

from bitdust.people.amounts import Amounts
from bitdust.people.messages.incoming import Incoming, Origin
from bitdust.people.messages.upkeep import PrekeyUpkeep
from bitdust.people.messages.visits import Visits
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.envelopes import MAX_BATCH, MAX_ENVELOPE, unpack
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.prekeys import ENVELOPES, PREKEYS, WAITING
from bitdust.wire.schema import Bytes, Choice, Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack

SERVICE = "service_private_messages"
MAX_PAYLOAD = max(MAX_BATCH, MAX_ENVELOPE) + 1024
HANDING_OUT = 10.0
"""What a one-time prekey costs that is made, written and signed, beside a ping."""


class MessageRows:
    """Anybody may write; how much is taken depends on who it is."""

    def __init__(
        self, around: Connected, incoming: Incoming, upkeep: PrekeyUpkeep, visits: Visits, amounts: Amounts
    ) -> None:
        self._visits = visits
        self._me = around.me
        self._incoming = incoming
        self._upkeep = upkeep
        self._amounts = amounts

    def rows(self) -> list[Row]:
        """For the packet table."""
        brought = Struct({"kind": Choice((ENVELOPES,)), "to": Bytes(8)})
        asked = Struct({"kind": Choice((PREKEYS,)), "to": Bytes(8)})
        return [
            Row(Command.MESSAGE, ENVELOPES, brought, MAX_PAYLOAD, Who.ANYONE, SERVICE, self._take, gathers=True),
            Row(
                Command.MESSAGE,
                WAITING,
                Struct({"kind": Choice((WAITING,))}),
                0,
                Who.ANYONE,
                SERVICE,
                self._call,
                becomes=("mailbox_visit", "go"),
            ),
            Row(Command.MESSAGE, PREKEYS, asked, 0, Who.ANYONE, SERVICE, self._hand_out, cost=HANDING_OUT),
        ]

    async def _take(self, request: Request) -> Answer:
        self._check_device(request)
        envelopes = unpack(await request.payload.read_all(MAX_PAYLOAD))
        peer = request.peer
        device = peer.document.device(peer.device)
        if device is None or device.revoked is not None:
            raise WireError("not-allowed", "a device that does not count in the document of its owner")
        taken: list[bytes] = []
        for envelope in envelopes:
            try:
                self._amounts.spend(peer.fingerprint, len(envelope))
            except BitDustError as error:
                if not taken:
                    raise WireError(error.code, str(error)) from error
                break
            taken.append(envelope)
        results = await self._incoming.take(Origin(peer.fingerprint, peer.device, device.key), taken)
        return ack(results=results + ["busy"] * (len(envelopes) - len(taken)))

    async def _hand_out(self, request: Request) -> Answer:
        self._check_device(request)
        self._amounts.spend(request.peer.fingerprint, 0)
        record, once = await self._upkeep.shown()
        more = {"once": once.as_map()} if once is not None else {}
        return ack(record=record.to_bytes(), **more)

    def _call(self, request: Request) -> Answer:
        """A keeper of a mailbox of mine says that there is something in it; another's word changes nothing."""
        self._visits.go(request.peer.fingerprint)
        return ack()

    def _check_device(self, request: Request) -> None:
        if request.fields["to"] != self._me.device.id:
            raise WireError("wrong-device", "this is another device than the one that is asked")
