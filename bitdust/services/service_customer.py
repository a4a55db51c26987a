"""Contact with my suppliers."""

from typing import Any

from bitdust.customers.notices import KIND
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.signal import Disconnect
from bitdust.wire.packet import Command
from bitdust.wire.schema import Bytes, Choice, Int, Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack


class CustomerService(Service):
    """Connects the family that is hired already and keeps hold of it."""

    name = "customer"
    needs = ("p2p_hookups", "data_disintegration")
    needs_identity = True
    duty = "keeps contact with my suppliers and renews my contracts"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._on = False
        self._forget: Any = None
        self._no_supplier: Disconnect = lambda: None
        fields = Struct({"kind": Choice((KIND,)), "contract": Bytes(16), "until": Int()})
        self._row = Row(Command.CANCEL_SERVICE, KIND, fields, 0, Who.SUPPLIER, "service_customer", self._notice)

    def start(self) -> None:
        self._rooms.suppliers.open()
        self._rooms.gateway.inbox.add(self._row)
        self._no_supplier = self._rooms.gateway.relations.add(Who.SUPPLIER, self._is_supplier)
        self._forget = self._rooms.suppliers.family.changed.connect(self._watch)
        self._watch()
        self._on = True

    def _is_supplier(self, fingerprint: bytes) -> bool:
        """Whether a peer has a place in my family, or a contract with me still."""
        return (
            fingerprint in self._rooms.suppliers.family.holders
            or self._rooms.suppliers.book.of(fingerprint) is not None
        )

    def _watch(self) -> None:
        for member in self._rooms.suppliers.family.holders:
            self._rooms.peers.presence.watch(member)

    def _notice(self, request: Request) -> Answer:
        """A supplier of mine says until when it answers; 0 when it stays."""
        self._rooms.suppliers.requests.receive_notice(request.peer.fingerprint, request.fields["until"])
        return ack()

    def stop(self) -> None:
        self._on = False
        self._rooms.gateway.inbox.remove(self._row)
        self._no_supplier()
        if self._forget is not None:
            self._forget()
            self._forget = None
        self._rooms.suppliers.close()

    def health(self) -> None:
        if not self._on:
            raise Unhealthy("my suppliers are not looked after")
