"""Being found: my addresses record, kept true and in the DHT; what `p2p_connector` acts on."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.p2p_connector import P2PConnector
from bitdust.outcome import outcome
from bitdust.surroundings import Connected
from bitdust.wire.signed import Signed

AN_HOUR = 3600.0


class Reach:
    """I keep the node findable. ``listening`` gives each ``tcp://host:port`` of mine, ``publish`` stores my record."""

    log = Logger()

    def __init__(
        self,
        around: Connected,
        listening: Callable[[], list[str]],
        publish: "Callable[[Signed], Deferred[Any]]",
    ) -> None:
        self._registry = around.registry
        self._me = around.me
        self._sessions = around.sessions
        self._listening = listening
        self._publish = publish
        self._disconnect: Callable[[], None] = lambda: None
        self._is_started = False
        self._is_findable = True
        self._wall = around.world.wall
        self._propagated_at = 0.0
        self.machine = P2PConnector(around.registry, self)

    def start(self) -> None:
        """Be found from now on; may follow a `stop`."""
        if self.machine.state == "CLOSED":
            self.machine = P2PConnector(self._registry, self)
        self._disconnect = self._sessions.on_session(self._session)
        self._is_started = True
        self.machine.send("start")

    def stop(self) -> None:
        """Care no more; records expire by themselves."""
        self._is_started = False
        self._disconnect()
        self.machine.send("shutdown")

    def check(self) -> None:
        """The network changed, or somebody wants to know: check again, and publish again."""
        if self._is_started:
            self.machine.send("check-synchronize")

    def is_listening(self) -> bool:
        return bool(self._listening())

    def has_sessions(self) -> bool:
        return bool(self._sessions.sessions())

    def update_addresses(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._update())

    async def _update(self) -> None:
        addresses = self._listening()
        if addresses != self._me.addresses:
            self._me.set_addresses(addresses)

    def propagate(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._propagate())

    async def _propagate(self) -> None:
        self._propagated_at = self._wall()
        published = await outcome(self._publish(self._me.addresses_record()))
        refused = getattr(published.value, "refused", {})
        self._is_findable = published.error is None and not (refused and published.value.count <= 1)
        if not self._is_findable:
            why = published.error or ", ".join(sorted(refused))
            self.log.info("my addresses are not in the DHT: {error}", error=why)

    def is_findable(self) -> bool:
        return self._is_findable

    def is_stale(self) -> bool:
        return abs(self._wall() - self._propagated_at) > AN_HOUR

    def _session(self, session: Any, up: bool) -> None:
        self.machine.send("session-up" if up else "session-down")
