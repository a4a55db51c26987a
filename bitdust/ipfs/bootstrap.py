"""Nodes of the hash table that this node asks first, as clients of IPFS write them.

Here they are hosts with a UDP port, in a setting; a peer id behind them is taken off, since whoever answers there is
asked who it is. Written as ``tcp`` they mean the same port.
"""

from collections.abc import Iterable

from bitdust.dht.seeds import SEEDS, Seed, parse_seeds
from bitdust.ipfs.network import Network
from bitdust.ipld.errors import unsupported
from bitdust.ipld.multiaddr import Multiaddr
from bitdust.wire.addresses import join_host


class Bootstrap:
    """I show and change the setting, and the node of the hash table follows at once."""

    def __init__(self, network: Network) -> None:
        self._settings = network.around.settings
        self._dht = network.dht

    def peers(self) -> list[str]:
        """Of the setting, in their order."""
        return [str(Multiaddr.of(host, "udp", port)) for host, port in self._seeds()]

    def add(self, texts: Iterable[str]) -> None:
        """Ask these too. Raises `FormatError` for what names no host and port."""
        self._use([*self._seeds(), *map(_seed_of, texts)])

    def remove(self, texts: Iterable[str]) -> None:
        """Ask these no more. Raises `FormatError`."""
        gone = [_seed_of(text) for text in texts]
        self._use([seed for seed in self._seeds() if seed not in gone])

    def remove_all(self) -> list[str]:
        """Ask nobody first; who was asked."""
        before = self.peers()
        self._use([])
        return before

    def add_default(self) -> list[str]:
        """Ask those too with whom a new node of this network begins; who they are."""
        default = parse_seeds(str(self._settings.option(SEEDS).default))
        self._use([*self._seeds(), *default])
        return [str(Multiaddr.of(host, "udp", port)) for host, port in default]

    def _seeds(self) -> list[Seed]:
        return parse_seeds(self._settings.get(SEEDS))

    def _use(self, seeds: Iterable[Seed]) -> None:
        wanted = list(dict.fromkeys(seeds))
        self._settings.set(SEEDS, ",".join(join_host(*seed) for seed in wanted))
        self._dht.node.use_seeds([*wanted, *self._dht.more_seeds])


def _seed_of(text: str) -> Seed:
    where = Multiaddr.parse(text)
    if not where.is_reachable:
        raise unsupported(f"{text[:200]!r} names no host and port")
    return where.host, where.port
