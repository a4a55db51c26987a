"""The settings of a node by the names that IPFS has for them.

IPFS has one file of configuration, which clients read and change. Here each name shows a setting of this node, or what
the node is; there is no second place where anything is kept. Clients have no secret, so what says who may come in is
shown, and changed by the person alone.
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve, frozen

from bitdust.config.settings import Settings
from bitdust.config.types import show_size, words
from bitdust.dht.seeds import SEEDS, parse_seeds
from bitdust.ipfs.credentials import Authorization
from bitdust.ipfs.durations import read_duration, write_duration
from bitdust.ipfs.peerids import multiaddrs
from bitdust.ipld.errors import FormatError
from bitdust.ipld.multiaddr import Multiaddr
from bitdust.wire.errors import BitDustError

PRIVATE_KEY = "identity.privkey"
NO_PRIVATE_KEY = "cannot show or change private key through API"
LOOPBACK = "127.0.0.1"
HOUR = 3600
AUTHORIZE = "it says who may do what; the person of this node changes it: bitdust ipfs authorize"
Tree = dict[str, Any]


@frozen
class View:
    """What a configuration shows: the settings, who this node is, where others reach it, and who may call it."""

    settings: Settings
    peer: str
    addresses: tuple[str, ...]
    authorizations: tuple[Authorization, ...] = ()
    reset: frozenset[str] = frozenset()
    """Settings that are shown as if they were at their defaults."""

    def get(self, key: str) -> Any:
        """The value of a setting."""
        return self.settings.option(key).default if key in self.reset else self.settings.get(key)

    def size(self, key: str) -> str:
        """A size, as ``10GB``."""
        return show_size(self.get(key)).replace(" ", "")


@frozen
class Entry:
    """A name: how it is shown, and how a value of it becomes one of the setting; None where clients cannot change it,
    and ``why``."""

    name: str
    show: Callable[[View], Any]
    setting: str = ""
    take: Callable[[Any], Any] | None = None
    why: str = "it follows from what this node is"


def _fixed(name: str, value: Any) -> Entry:
    return Entry(name, lambda view: value)


def _of_person(name: str, setting: str, show: Callable[[Any], Any]) -> Entry:
    """What clients see, and the person of this node changes."""
    why = f"it says who may do what; the person of this node changes it: bitdust set {setting} VALUE"
    return Entry(name, lambda view: show(view.get(setting)), setting, why=why)


def _hours(name: str, setting: str) -> Entry:
    return Entry(name, lambda view: write_duration(view.get(setting) * HOUR), setting, _take_hours)


def _take_hours(value: Any) -> int:
    seconds = _duration(value)
    if seconds % HOUR:
        raise bad_value("whole hours, such as 4h, are what this is counted in")
    return int(seconds) // HOUR


def _duration(value: Any) -> float:
    try:
        return read_duration(str(value))
    except ValueError:
        raise bad_value(f"{str(value)[:100]!r} is no duration such as 4h") from None


def _port(name: str, setting: str) -> Entry:
    """A port on loopback as an address, whether or not something listens there now."""
    return Entry(name, lambda view: str(Multiaddr.of(LOOPBACK, "tcp", view.get(setting))), setting, _take_port)


def _take_port(value: Any) -> int:
    text = str(value)
    port_zero = text.endswith("/tcp/0")
    try:
        where = Multiaddr.parse(text[:-1] + "1" if port_zero else text)
        is_here = where.host == "localhost" or ipaddress.ip_address(where.host).is_loopback
    except (FormatError, ValueError):
        raise bad_value(f"{text[:100]!r} is no address such as /ip4/{LOOPBACK}/tcp/5001") from None
    if not is_here or where.transport != "tcp":
        raise bad_value(f"this listens on this machine alone: /ip4/{LOOPBACK}/tcp/{where.port}")
    return 0 if port_zero else where.port


def _shown(one: Authorization) -> Tree:
    """The node knows a hash of the secret alone."""
    return {"AuthSecret": f"{one.kind}:***", "AllowedPaths": list(one.paths)}


def _bootstrap(view: View) -> list[str]:
    return [str(Multiaddr.of(host, "udp", port)) for host, port in parse_seeds(view.get(SEEDS))]


def _origins(value: Any) -> list[str]:
    return words(str(value))


ENTRIES: tuple[Entry, ...] = (
    Entry("Identity.PeerID", lambda view: view.peer),
    Entry(
        "Datastore.StorageMax",
        lambda view: view.size("services/block-store/storage-max"),
        "services/block-store/storage-max",
        str,
    ),
    _fixed("Datastore.HashOnRead", value=True),
    Entry("Addresses.Swarm", lambda view: [str(one) for one in multiaddrs(view.addresses)]),
    _fixed("Addresses.Announce", []),
    _fixed("Addresses.NoAnnounce", []),
    _port("Addresses.API", "services/ipfs/api-port"),
    _port("Addresses.Gateway", "services/ipfs/gateway-port"),
    _fixed("Discovery.MDNS.Enabled", value=False),
    _fixed("Discovery.MDNS.Interval", 10),
    Entry(
        "Routing.Type",
        lambda view: "dht" if view.get("services/entangled-dht/enabled") else "none",
    ),
    _hours("Ipns.RepublishPeriod", "services/ipfs/republish-hours"),
    _hours("Ipns.RecordLifetime", "services/ipfs/record-hours"),
    Entry("Bootstrap", _bootstrap, SEEDS, why="'bootstrap/add' and 'bootstrap/rm' change it"),
    _of_person("Reprovider.Strategy", "services/ipfs/provide", str),
    _of_person("Gateway.NoFetch", "services/ipfs/gateway-fetch", lambda fetches: not fetches),
    Entry("API.Authorizations", lambda view: {one.name: _shown(one) for one in view.authorizations}, why=AUTHORIZE),
    _of_person("API.HTTPHeaders.Access-Control-Allow-Origin", "services/ipfs/allowed-origins", _origins),
    _of_person("DNS.Resolvers", "services/ipfs/dns-resolver", lambda value: {".": value} if value else {}),
)
"""Every name. Lists and maps are values as a whole."""
PROFILES: Mapping[str, tuple[str, ...]] = {
    "default-networking": ("Addresses.API", "Addresses.Gateway"),
    "default-datastore": ("Datastore.StorageMax",),
}
"""Names that go back to their defaults with a profile. Those that are not here have nothing to change on this node."""
OTHER_PROFILES = [
    "announce-off",
    "announce-on",
    "badgerds",
    "badger",
    "flatfs",
    "local-discovery",
    "lowpower",
    "randomports",
    "server",
    "test",
]


def whole(view: View) -> Tree:
    """All of it, as one tree."""
    tree: Tree = {}
    for entry in ENTRIES:
        *above, last = entry.name.split(".")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[last] = entry.show(view)
    return tree


def get(view: View, name: str) -> Any:
    """A value, or all below a name. Raises `BitDustError`: forbidden, no-setting."""
    _not_private(name)
    place: Any = whole(view)
    for part in name.split("."):
        if not isinstance(place, dict) or part not in place:
            raise BitDustError("no-setting", f'failed to get config value: "{name[:200]}" not found')
        place = place[part]
    return place


def set_value(view: View, name: str, value: Any) -> Any:
    """Change the setting behind a name; its value from now on. Raises `BitDustError`: forbidden, no-setting,
    read-only, bad-argument."""
    _not_private(name)
    entry = _find(name)
    if entry.take is None:
        raise BitDustError("read-only", f'failed to set config value: "{name}" cannot be set here: {entry.why}')
    taken = entry.take(value)
    try:
        view.settings.set(entry.setting, taken)
    except BitDustError as error:
        raise bad_value(str(error)) from error
    return entry.show(view)


def apply_profile(view: View, name: str, dry_run: bool) -> tuple[Tree, Tree]:
    """The configuration before and after a profile. Raises `BitDustError`: bad-argument, no-setting."""
    if name not in PROFILES:
        if name in OTHER_PROFILES:
            raise BitDustError("no-setting", f"profile {name!r} changes what this node does not have")
        raise BitDustError("bad-argument", f"{name[:100]!r} is not a profile")
    before = whole(view)
    reset = frozenset(entry.setting for entry in ENTRIES if entry.setting and entry.name in PROFILES[name])
    if not dry_run:
        for setting in sorted(reset):
            view.settings.reset(setting)
    return before, whole(evolve(view, reset=reset))


def _find(name: str) -> Entry:
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    inside = next((entry for entry in ENTRIES if _is_below(entry.name, name)), None)
    if inside is not None:
        text = f'failed to set config value: "{name[:200]}" is no single value; set {inside.name}'
        raise BitDustError("bad-argument", text)
    raise BitDustError("no-setting", f'failed to set config value: "{name[:200]}" is no setting of this node')


def _is_below(inner: str, outer: str) -> bool:
    return inner.startswith(f"{outer}.") or outer.startswith(f"{inner}.")


def _not_private(name: str) -> None:
    lowered = name.lower()
    if lowered == PRIVATE_KEY or lowered.startswith(f"{PRIVATE_KEY}."):
        raise BitDustError("forbidden", NO_PRIVATE_KEY)


def bad_value(text: str) -> BitDustError:
    """Of a value that a name does not take."""
    return BitDustError("bad-argument", f"failed to set config value: {text}")
