"""The room of peers: who is in touch with this node, and where this node may be found."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.peers.presence import Presence
from bitdust.peers.reach import Reach
from bitdust.surroundings import Connected
from bitdust.wire.signed import Signed


class PeersRoom:
    """``port`` is the TCP port on which this node listens now, 0 while it does not; ``publish`` takes my addresses."""

    def __init__(
        self, around: Connected, port: Callable[[], int], publish: "Callable[[Signed], Deferred[Any]]"
    ) -> None:
        self._around = around
        self._port = port
        self.presence = Presence(
            around.registry, around.sessions, around.outbox, around.events, around.identities.get
        )  # fmt: skip
        self.reach = Reach(around.registry, around.me, around.sessions, self._listening, publish)

    def _listening(self) -> list[str]:
        """Where peers may reach this node."""
        port, wanted = self._port(), self._around.settings.get("services/network/interface")
        hosts = [wanted] if wanted else self._around.world.network.interfaces()
        return [f"tcp://{host}:{port}" for host in hosts] if port else []
