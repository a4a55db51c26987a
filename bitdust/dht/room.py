"""The room of the hash table: this machine's node of it, and what is kept there."""

from collections.abc import Callable

from twisted.internet.defer import Deferred

from bitdust.crypt.device import DeviceKey
from bitdust.dht.directory import Directory
from bitdust.dht.node import DHTNode
from bitdust.dht.seeds import Seed
from bitdust.nearby import household
from bitdust.surroundings import Surroundings

PORT = "services/entangled-dht/udp-port"
MOST_HOSTS = 16


class DHTRoom:
    """The node lives as long as the process; `use_my_device` before a start puts it under the device key of now."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        me, world = around.me, around.world
        self._passing = DeviceKey.generate(world.entropy)
        self.node = DHTNode(around, self._passing, world.home / "dht.db")
        self.node.my_info(lambda: me.addresses_record() if me.present and me.addresses else None)
        self.directory = Directory(self.node, me, around.identities)
        self._more_seeds: list[Seed] = []

    @property
    def more_seeds(self) -> list[Seed]:
        """Nodes that a key file names, beside those of the settings."""
        return list(self._more_seeds)

    def use_more_seeds(self, seeds: list[Seed]) -> None:
        """Join by these nodes too, from the next start."""
        self._more_seeds = seeds

    def use_hosts(self, hosts: Callable[[], list[str]]) -> None:
        """Join by those, too, with whom sessions stand: most nodes have the same UDP port."""
        port = int(self._around.settings.option(PORT).default)
        self.node.entries_from(lambda: [(host, port) for host in hosts()[:MOST_HOSTS]])

    def use_my_device(self) -> "Deferred[None]":
        """Be the node of my device; without an identity that of a passing key, to look things up."""
        me = self._around.me
        self.node.household = household(self._around.settings)
        if not me.present:
            return self.node.use_device(self._passing)
        return self.node.use_device(me.device, me.public.spki, me.certificate)

    def close(self) -> None:
        """The process ends: the machine comes to its end too."""
        self.node.connector.send("shutdown")
