"""The room of peers: who is in touch with this node, and where this node may be found."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.peers.documents import Documents
from bitdust.peers.presence import Presence
from bitdust.peers.reach import Reach
from bitdust.surroundings import Connected
from bitdust.wire.signed import Signed


class PeersRoom:
    """``listening`` gives the addresses at which this node listens now; ``publish`` takes my addresses record."""

    def __init__(
        self, around: Connected, listening: Callable[[], list[str]], publish: "Callable[[Signed], Deferred[Any]]"
    ) -> None:
        self.documents = Documents(around)
        self.presence = Presence(around)
        self.reach = Reach(around, listening, publish)

    def network_is_back(self) -> None:
        """The network, or others in it, can be reached again: be found, and find who was lost."""
        self.reach.check()
        self.presence.chance.emit()
