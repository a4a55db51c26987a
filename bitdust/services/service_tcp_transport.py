"""Sessions with peers over TCP and TLS."""

from twisted.internet.defer import Deferred

from bitdust.identity.document import IdentityDocument
from bitdust.services.parts import Parts
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.encoding import WireError
from bitdust.wire.records import DeviceAddresses
from bitdust.wire.signed import Signed


class TCPTransportService(Service):
    """Dials peers at the addresses that the DHT keeps of them."""

    name = "tcp_transport"
    needs = ("tcp_connections", "gateway")
    needs_identity = True
    duty = "carries sessions with peers over TCP and TLS, and finds their addresses"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._on = False

    def start(self) -> None:
        self._parts.gateway.resolver = self._resolve
        self._on = True

    def stop(self) -> None:
        self._on = False
        for session in self._parts.gateway.sessions():
            session.close("stopping", "this node leaves TCP")

    def health(self) -> None:
        if not self._on or not self._parts.gateway.listening:
            raise Unhealthy("no session can come in")

    def _resolve(self, fingerprint: bytes) -> "Deferred[list[str]]":
        return Deferred.fromCoroutine(self._addresses_of(fingerprint))

    async def _addresses_of(self, fingerprint: bytes) -> list[str]:
        """The addresses records of each device of the newest identity, as the DHT has them."""
        parts = self._parts
        if not self._on or not parts.settings.get("services/tcp-transport/sending-enabled") or not parts.dht.running:
            return []
        document = parts.cache.get(fingerprint)
        record = await parts.dht.get("identity", fingerprint)
        if record is not None:
            try:
                newer = IdentityDocument.parse(record.value)
            except WireError:
                newer = None
            if newer is not None and newer.fingerprint == fingerprint:
                parts.cache.accept(newer)
                document = parts.cache.get(fingerprint)
        found: list[str] = []
        for device in document.devices if document else ():
            if device.revoked is None:
                kept = await parts.dht.get(DeviceAddresses.KIND, fingerprint + device.id)
                if kept is not None:
                    found += DeviceAddresses.from_body(
                        Signed.from_bytes(kept.value, DeviceAddresses.KIND).body
                    ).addresses
        return list(dict.fromkeys(found))
