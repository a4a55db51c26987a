"""Being found: my addresses record, kept true and told to the DHT; what `p2p_connector` acts on."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Registry
from bitdust.automats.p2p_connector import P2PConnector
from bitdust.outcome import outcome
from bitdust.wire.signed import Signed


class AddressBook(Protocol):
    """The local identity's own addresses."""

    @property
    def addresses(self) -> list[str]: ...

    def set_addresses(self, addresses: list[str], /) -> object: ...

    def addresses_record(self) -> Signed: ...


class ReachGateway(Protocol):
    """The gateway, as far as being reached goes."""

    def sessions(self) -> Any: ...

    def on_session(self, watcher: Callable[[Any, bool], None], /) -> Callable[[], None]: ...


class Reach:
    """I keep the node findable. ``listening`` gives each ``tcp://host:port`` of mine, ``publish`` tells the DHT."""

    def __init__(
        self,
        registry: Registry,
        me: AddressBook,
        gateway: ReachGateway,
        listening: Callable[[], list[str]],
        publish: "Callable[[Signed], Deferred[Any]]",
    ) -> None:
        self._registry = registry
        self._me = me
        self._gateway = gateway
        self._listening = listening
        self._publish = publish
        self._remove: Callable[[], None] | None = None
        self.last_error = ""
        self.machine = P2PConnector(registry, self)

    def start(self) -> None:
        """Be found from now on; may follow a `stop`."""
        if self.machine.state == "CLOSED":
            self.machine = P2PConnector(self._registry, self)
        self._remove = self._gateway.on_session(self._session)
        self.machine.send("start")

    def stop(self) -> None:
        """Care no more; records expire by themselves."""
        if self._remove is not None:
            self._remove()
            self._remove = None
        self.machine.send("shutdown")

    def check(self) -> None:
        """The network changed, or somebody wants to know: look again and tell the DHT anew."""
        self.machine.send("check-synchronize")

    @property
    def is_reachable(self) -> bool:
        """True while I listen and the network was told, whether or not anybody has come."""
        return self.machine.state in ("PROPAGATE", "INCOMMING?", "CONNECTED")

    def is_listening(self) -> bool:
        return bool(self._listening())

    def has_sessions(self) -> bool:
        return bool(self._gateway.sessions())

    def update_addresses(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._update())

    async def _update(self) -> None:
        addresses = self._listening()
        if addresses != self._me.addresses:
            self._me.set_addresses(addresses)

    def propagate(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._propagate())

    async def _propagate(self) -> None:
        told = await outcome(self._publish(self._me.addresses_record()))
        self.last_error = str(told.error) if told.error is not None else ""

    def _session(self, session: Any, up: bool) -> None:
        self.machine.send("session-up" if up else "session-down")
