"""Contact with my suppliers."""

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
        self._suppliers = rooms.suppliers
        self._gateway = rooms.gateway
        self._no_supplier: Disconnect = lambda: None
        fields = Struct({"kind": Choice((KIND,)), "contract": Bytes(16), "until": Int()})
        self._row = Row(
            Command.CANCEL_SERVICE, KIND, fields, 0, Who.SUPPLIER, "service_customer", self._notice,
            becomes=("supplier_replacement", "check"),
        )  # fmt: skip

    def packet_rows(self) -> list[Row]:
        return [self._row]

    def start(self) -> None:
        self._suppliers.open()
        self._gateway.inbox.add(self._row)
        self._no_supplier = self._gateway.relations.add(Who.SUPPLIER, self._suppliers.is_supplier)

    def _notice(self, request: Request) -> Answer:
        """A supplier of mine says until when it answers; 0 when it stays."""
        self._suppliers.requests.receive_notice(request.peer.fingerprint, request.fields["until"])
        return ack()

    def stop(self) -> None:
        self._gateway.inbox.remove(self._row)
        self._no_supplier()
        self._suppliers.close()

    def health(self) -> None:
        neglected = self._suppliers.connectors.neglected()
        if neglected:
            raise Unhealthy(f"{len(neglected)} of my suppliers are not contacted any more")
