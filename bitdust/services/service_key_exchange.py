"""Keys between people."""

from bitdust.crypt.ring_room import most_bytes, most_keys
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.table import Row

NEARLY = 8 * 1024
"""Bytes that are left in a key ring that is reported as full."""


class KeyExchangeService(Service):
    """Takes keys that people give me, proves which ones are here, and brings those whom I let in what is new of mine.

    Shares and groups are built on it; it needs no storage.
    """

    name = "key_exchange"
    needs = ("p2p_hookups", "keys_registry")
    needs_identity = True
    duty = "takes keys that people give me, gives others mine, and proves which ones are here"

    def __init__(self, rooms: Rooms) -> None:
        self._keys = rooms.people.keys
        self._shares = rooms.shares
        self._me = rooms.identity.me
        self._inbox = rooms.gateway.inbox
        self._added: list[Row] = []

    def packet_rows(self) -> list[Row]:
        return [*self._keys.rows(), self._shares.received.row(), self._shares.devices.row(), self._shares.row()]

    def start(self) -> None:
        self._added = self.packet_rows()
        for row in self._added:
            self._inbox.add(row)
        self._keys.person.start()
        self._shares.start_exchange()

    def stop(self) -> None:
        self._shares.stop_exchange()
        rows, self._added = self._added, []
        for row in rows:
            self._inbox.remove(row)
        self._keys.person.stop()

    def health(self) -> None:
        ring = self._me.key_ring
        if len(ring.keys) >= most_keys(ring.revoked) or len(ring.to_bytes()) > most_bytes(ring.revoked) - NEARLY:
            raise Unhealthy("the key ring is full: nobody can give a key to this node")
