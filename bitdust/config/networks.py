"""Networks: which ID servers and DHT seeds this node begins with, and a home folder for each of them.

The network ``default`` lives in the base folder itself, every other one in ``<base>/networks/<name>``, with another
identity, another catalog and other customers. ``<base>/current_network`` names the one that is used.
No Twisted here: the command line looks it up too.
"""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from bitdust.config.home import FORMAT, write_number
from bitdust.config.settings import Settings
from bitdust.config.types import SettingError
from bitdust.crypt.files import TEMPORARY, make_private_folder, remove_safely, sync_folder, write_safely
from bitdust.wire.addresses import join_host, one_host
from bitdust.wire.encoding import WireError

DEFAULT = "default"
FOLDER = "networks"
CURRENT = "current_network"
DEFINITION = "metadata/networkconfig"
MAX_DEFINITION = 50_000
MAX_HOSTS = 100
MAX_LABEL = 200
KNOWN_NODES = "services/entangled-dht/known-nodes"
KNOWN_SERVERS = "services/identity-propagate/known-servers"
CARRIED = "interface/api/"
"""Settings that a new network's home takes over, so that clients find the node where it was."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[A-Fa-f0-9:.]{2,45}|\[[A-Fa-f0-9:.]{2,45}\]")


@frozen
class NetworkDefinition:
    """What a network's maintainer publishes; hosts are ``host:port``."""

    name: str
    label: str = ""
    maintainer: str = ""
    contact_email: str = ""
    known_nodes: tuple[str, ...] = ()
    known_servers: tuple[str, ...] = ()
    source: Mapping[str, Any] = field(factory=dict, eq=False)


def parse_definition(data: bytes) -> NetworkDefinition:
    """Read a definition: JSON with name, label, maintainer, and hosts. Raises `SettingError` ``bad-network``."""
    if len(data) > MAX_DEFINITION:
        raise _bad(f"it has more than {MAX_DEFINITION} bytes")
    try:
        source = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _bad(f"it is not JSON: {error}") from error
    if not isinstance(source, dict):
        raise _bad("it is no JSON object")
    name = _text(source, "name", required=True)
    if not _NAME.fullmatch(name) or name == DEFAULT:
        raise _bad(f"{name[:80]!r} is no name for a network: 1 to 40 of a-z 0-9 - _, and not {DEFAULT!r}")
    return NetworkDefinition(
        name,
        _text(source, "label", required=True),
        _text(source, "maintainer", required=True),
        _text(source, "contact_email"),
        _hosts(source, "service_entangled_dht", "known_nodes", ("udp_port",), 14441),
        _hosts(source, "service_identity_propagate", "known_servers", ("http_port", "web_port"), 80),
        source,
    )


def _bad(why: str) -> SettingError:
    return SettingError("bad-network", f"this is no definition of a network: {why}")


def _text(source: Mapping[str, Any], key: str, required: bool = False) -> str:
    value = source.get(key, "")
    if not isinstance(value, str) or len(value) > MAX_LABEL or not value.isprintable():
        raise _bad(f"{key!r} must be one line of text of at most {MAX_LABEL} characters")
    if required and not value.strip():
        raise _bad(f"{key!r} is missing")
    return value.strip()


def _hosts(source: Mapping[str, Any], service: str, key: str, ports: tuple[str, ...], default: int) -> tuple[str, ...]:
    part = source.get(service, {})
    listed = part.get(key, []) if isinstance(part, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_HOSTS:
        raise _bad(f"{service}.{key} must be a list of at most {MAX_HOSTS} hosts")
    return tuple(_host(entry, f"{service}.{key}", ports, default) for entry in listed)


def _host(entry: Any, where: str, ports: tuple[str, ...], default: int) -> str:
    if not isinstance(entry, dict):
        raise _bad(f"each of {where} must be an object with 'host' and {ports[0]!r}")
    host = entry.get("host")
    port = next((entry[name] for name in ports if name in entry), default)
    name = _known_host(host)
    if name is None:
        raise _bad(f"{str(host)[:80]!r} in {where} is no host")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise _bad(f"{str(port)[:80]!r} in {where} is no port")
    return join_host(name, port)


def _known_host(host: Any) -> str | None:
    """The one spelling of a name or address, IPv6 with or without its brackets; None for anything else."""
    if not isinstance(host, str) or not _HOST.fullmatch(host):
        return None
    try:
        return one_host(host[1:-1] if host.startswith("[") and ":" in host else host)
    except WireError:
        return None


def base_of(home: Path) -> Path:
    """The base folder that a network's home belongs to; a home of its own is its own base."""
    return home.parent.parent if home.parent.name == FOLDER and (home / DEFINITION).exists() else home


class Networks:
    """The networks under one base folder."""

    def __init__(self, base: Path) -> None:
        self._base = base

    @property
    def current(self) -> str:
        """The name of the network that is used."""
        try:
            name = (self._base / CURRENT).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return DEFAULT
        return name if name in self.names() else DEFAULT

    def names(self) -> list[str]:
        """All networks, the default one first."""
        folder = self._base / FOLDER
        found = (
            sorted(path.name for path in folder.iterdir() if (path / DEFINITION).exists()) if folder.is_dir() else []
        )
        return [DEFAULT, *(name for name in found if _NAME.fullmatch(name))]

    def home(self, name: str | None = None) -> Path:
        """The home folder of a network, or of the one that is used."""
        wanted = self.current if name is None else name
        return self._base if wanted == DEFAULT else self._base / FOLDER / wanted

    def definition(self, name: str) -> NetworkDefinition:
        """What was said when the network was made. Raises `SettingError` ``bad-network``, ``not-found``."""
        if name == DEFAULT:
            return NetworkDefinition(DEFAULT)
        self._check(name)
        return parse_definition((self.home(name) / DEFINITION).read_bytes())

    def create(self, data: bytes) -> NetworkDefinition:
        """Make the home of a new network. Raises `SettingError` ``bad-network``, ``exists``."""
        definition = parse_definition(data)
        home = self._base / FOLDER / definition.name
        if home.exists():
            raise SettingError("exists", f"the network {definition.name!r} is known already; see `network select`")
        fresh = home.with_name(TEMPORARY + definition.name)
        shutil.rmtree(fresh, ignore_errors=True)
        self._fill(fresh, definition, data)
        fresh.rename(home)
        sync_folder(home.parent)
        return definition

    def _fill(self, fresh: Path, definition: NetworkDefinition, data: bytes) -> None:
        make_private_folder(fresh / "metadata")
        make_private_folder(fresh)
        write_safely(fresh / DEFINITION, data)
        write_number(fresh, FORMAT)
        used = self.home()
        secret = used / "apisecret"
        if secret.exists():
            write_safely(fresh / "apisecret", secret.read_bytes())
        mine, new = Settings(used / "config"), Settings(fresh / "config")
        for key in mine.below(CARRIED):
            if not mine.is_default(key):
                new.set(key, mine.get(key))
        for key, hosts in ((KNOWN_NODES, definition.known_nodes), (KNOWN_SERVERS, definition.known_servers)):
            if hosts:
                new.set(key, ",".join(hosts))

    def select(self, name: str) -> None:
        """Use this network from the next start on. Raises `SettingError` ``not-found``."""
        self._check(name)
        if name == DEFAULT:
            remove_safely(self._base / CURRENT)
        else:
            write_safely(self._base / CURRENT, name.encode() + b"\n")

    def _check(self, name: str) -> None:
        if name not in self.names():
            known = ", ".join(self.names())
            raise SettingError("not-found", f"there is no network {name[:80]!r}; there are: {known}")
