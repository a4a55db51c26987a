"""My identity, known to ID servers and the DHT."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.errors import BitDustError

DAY = 86_400


class IdentityPropagateService(Service):
    """Publishes my document; healthy while the DHT or any ID server has its newest revision."""

    name = "identity_propagate"
    needs = ("entangled_dht", "gateway")
    needs_identity = True
    duty = "keeps my identity document known to ID servers and to the DHT"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._loop: LoopingCall | None = None
        self._remove: Callable[[], None] | None = None
        self._known = False
        self._revision = 0
        self._reason = "it was not published yet"
        self._publishing: list[Deferred[Any]] = []

    def start(self) -> "Deferred[Any]":
        rooms = self._rooms
        self._remove = rooms.identity.me.on_change(self._changed)
        seconds = rooms.around.settings.get("services/identity-propagate/health-check-interval-seconds")
        self._loop = LoopingCall(self._publish_again)
        self._loop.clock = rooms.around.world.clock
        first = self.publish()
        self._loop.start(seconds, now=False)
        return first

    def stop(self) -> None:
        if self._remove is not None:
            self._remove()
            self._remove = None
        if self._loop is not None and self._loop.running:
            self._loop.stop()
        for publishing in list(self._publishing):
            publishing.cancel()

    def health(self) -> None:
        if not self._known:
            raise Unhealthy(f"nobody knows my identity: {self._reason}")

    def _changed(self) -> None:
        if self._rooms.identity.me.present and self._rooms.identity.me.document.revision > self._revision:
            self._publish_again()

    def _publish_again(self) -> "Deferred[Any]":
        return self.publish().addErrback(lambda failure: failure.trap(CancelledError))

    def publish(self) -> "Deferred[Any]":
        """Bring the newest revision to ID servers and the DHT; whatever fails is tried again at the next round."""
        publishing = Deferred.fromCoroutine(self._publish())
        self._publishing.append(publishing)
        return publishing.addBoth(self._published, publishing)

    def _published(self, result: Any, publishing: "Deferred[Any]") -> Any:
        if publishing in self._publishing:
            self._publishing.remove(publishing)
        return result

    async def _publish(self) -> None:
        me = self._rooms.identity.me
        if not me.present:
            return
        self._revision = me.document.revision
        stored = await self._to_dht()
        outcomes = await self._rooms.identity.registration.publish()
        at_server = any(outcome.word in ("stored", "stale") for outcome in outcomes.values())
        if me.document.revision > self._revision:
            self._revision = me.document.revision
            stored = await self._to_dht() or stored
        self._known = stored or at_server
        self._reason = "; ".join(f"{idurl}: {outcome.text or outcome.word}" for idurl, outcome in outcomes.items())

    async def _to_dht(self) -> bool:
        me = self._rooms.identity.me
        try:
            await self._rooms.dht.node.put("identity", me.fingerprint, me.document.revision, me.document.xml, 30 * DAY)
        except BitDustError:
            return False
        return True
