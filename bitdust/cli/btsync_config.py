"""The config file of BitTorrent Sync: what it says, as settings of a node and folders for it.

Names are those of the vendor's sample file, its help and its pages. What a node has not, or what only concerns the
vendor's window, is named in ``ignored``; what would change who may do what, and cannot be honoured, is refused.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from bitdust.config.relaxed_json import Document, read
from bitdust.config.relaxed_json import Path as Place
from bitdust.config.schema import default_schema
from bitdust.config.types import SettingError
from bitdust.folders.secrets import Secret, parse
from bitdust.wire.errors import BitDustError

SYNC, API, PROXY = "services/folder-sync/", "services/btsync/", "services/network/proxy/"
PASSWORD_NAMES = ("login", "password", "password_hash")
MOST_FOLDERS = 10_000
VENDORS_ONLY = frozenset((
    "vendor", "display_new_version", "i_agree", "agree_to_EULA", "use_gui", "check_for_updates", "license",
    "external_port", "config_refresh_interval", "log_size", "sync_extended_attributes", "recv_buf_size_limit",
))  # fmt: skip
NUMBERS = {
    "listening_port": "services/tcp-connections/tcp-port",
    "download_limit": f"{SYNC}download-limit",
    "upload_limit": f"{SYNC}upload-limit",
    "folder_rescan_interval": f"{SYNC}rescan-seconds",
    "lang": f"{SYNC}language",
    "max_file_size_diff_for_patching": f"{SYNC}patched-file-max",
    "max_file_size_for_versioning": f"{SYNC}versioned-file-max",
    "recv_buf_size": f"{SYNC}receive-buffer",
    "send_buf_size": f"{SYNC}send-buffer",
    "sync_max_time_diff": f"{SYNC}max-time-diff",
    "sync_trash_ttl": f"{SYNC}trash-days",
}
FLAGS = {
    "use_upnp": f"{SYNC}upnp-enabled",
    "disk_low_priority": f"{SYNC}low-priority-enabled",
    "lan_encrypt_data": f"{SYNC}lan-encryption-enabled",
    "lan_use_tcp": f"{SYNC}lan-tcp-enabled",
    "rate_limit_local_peers": f"{SYNC}limit-local-peers-enabled",
}
FOLDER_FLAGS = (
    "use_relay_server", "use_tracker", "search_lan", "use_dht", "use_sync_trash", "overwrite_changes", "selective_sync",
)  # fmt: skip
DEFAULTS = {
    "use_dht": "use_dht",
    "use_lan_broadcast": "search_lan",
    "use_relay": "use_relay_server",
    "use_tracker": "use_tracker",
    "delete_to_trash": "use_sync_trash",
}
"""Names in ``folder_defaults``, and what they are of a folder."""
OLD_PROXIES = ("socks4", "socks5")


@frozen
class SharedFolder:
    """A folder that the file names."""

    directory: Path
    secret: str = field(repr=False)
    preferences: Mapping[str, int]
    hosts: tuple[str, ...] = ()


@define
class VendorConfig:
    """What a file says. ``folders`` is None where it names none, so that those that are there stay."""

    storage: Path
    settings: dict[str, Any] = field(factory=dict, repr=False)
    pid_file: Path | None = None
    folders: list[SharedFolder] | None = None
    ignored: list[str] = field(factory=list)


def load(path: Path) -> VendorConfig:
    """Read a file. Raises `BitDustError` ``bad-config``, which names the file and the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BitDustError("bad-config", f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BitDustError("bad-config", f"{path}: it is no UTF-8") from error
    try:
        return parse_config(text, Path.cwd())
    except BitDustError as error:
        raise BitDustError("bad-config", f"{path}: {error}") from error


def parse_config(text: str, here: Path) -> VendorConfig:
    """A text; paths that are not absolute begin ``here``. Raises `BitDustError`."""
    return _Reader(read(text), here).run()


class _Reader:
    """Goes through one document; each theme takes its names out of it, what is left is unknown."""

    def __init__(self, document: Document, here: Path) -> None:
        self._document = document
        self._here = here
        self._schema = default_schema()
        self._left = dict(self._object(document.value, ()))
        self._whitelist: Any = None
        self._found = VendorConfig(here / ".sync")

    def run(self) -> VendorConfig:
        found = self._found
        found.settings |= {f"{SYNC}enabled": True}
        self._paths()
        self._preferences()
        self._proxy()
        self._webui(self._object(self._left.pop("webui", {}), ("webui",)))
        self._permitted()
        self._shared(self._object(self._left.pop("folder_defaults", {}), ("folder_defaults",)))
        found.ignored += [name for name in self._left if name not in VENDORS_ONLY]
        return found

    # what is wrong

    def _wrong(self, place: Place, what: str) -> BitDustError:
        name = ".".join(map(str, place))
        return BitDustError("bad-config", f"line {self._document.line(place)}: {name or 'the file'} {what}")

    def _object(self, value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(place, "is to be an object in braces")
        return value

    def _list(self, value: Any, place: Place) -> list[Any]:
        if not isinstance(value, list):
            raise self._wrong(place, "is to be a list in brackets")
        return value

    def _text(self, value: Any, place: Place) -> str:
        if not isinstance(value, str) or "\0" in value or len(value) > 4096:
            raise self._wrong(place, "is to be a text")
        return value

    def _flag(self, value: Any, place: Place) -> bool:
        if value in (True, False, 1, 0):
            return bool(value)
        if isinstance(value, str) and value.lower() in ("true", "false", "1", "0"):
            return value.lower() in ("true", "1")
        raise self._wrong(place, "is to be true or false")

    def _set(self, key: str, value: Any, place: Place) -> None:
        try:
            self._found.settings[key] = self._schema[key].parse(value)
        except SettingError as error:
            raise self._wrong(place, str(error).partition(": ")[2]) from error

    def _path(self, value: Any, place: Place) -> Path:
        return self._here / os.path.expanduser(self._text(value, place))

    # themes

    def _paths(self) -> None:
        storage = self._left.pop("storage_path", None)
        if storage is not None:
            self._found.storage = self._path(storage, ("storage_path",))
            if not self._found.storage.is_dir():
                raise self._wrong(("storage_path",), f"is no folder: {self._found.storage}")
        pid_file = self._left.pop("pid_file", None)
        if pid_file is not None:
            self._found.pid_file = self._path(pid_file, ("pid_file",))

    def _preferences(self) -> None:
        name = self._left.pop("device_name", None)
        if name is not None:
            self._set(f"{SYNC}device-name", self._text(name, ("device_name",)), ("device_name",))
        for name in NUMBERS.keys() & self._left.keys():
            self._set(NUMBERS[name], self._left.pop(name), (name,))
        for name in FLAGS.keys() & self._left.keys():
            self._found.settings[FLAGS[name]] = self._flag(self._left.pop(name), (name,))

    def _proxy(self) -> None:
        given = {name: self._left.pop(f"proxy_{name}", None) for name in ("type", "addr", "port", "auth")}
        user, password = self._left.pop("proxy_username", None), self._left.pop("proxy_password", None)
        kind = self._text(given["type"], ("proxy_type",)).lower() if given["type"] is not None else ""
        if kind in OLD_PROXIES:
            raise self._wrong(("proxy_type",), "is to be http: this node speaks no SOCKS")
        if kind not in ("http", "https", "http_connect"):
            return
        self._found.settings |= {f"{PROXY}enabled": True, f"{PROXY}ssl": kind == "https"}
        self._set(f"{PROXY}host", given["addr"], ("proxy_addr",))
        self._set(f"{PROXY}port", given["port"], ("proxy_port",))
        if given["auth"] is not None and self._flag(given["auth"], ("proxy_auth",)):
            self._set(f"{PROXY}username", user, ("proxy_username",))
            self._set(f"{PROXY}password", password, ("proxy_password",))

    def _webui(self, given: dict[str, Any]) -> None:
        left = dict(given)
        if not left:
            return
        self._found.settings[f"{API}enabled"] = True
        self._found.settings[f"{API}refuse-all"] = not left.pop("api_key", None)
        self._listen(left.pop("listen", "127.0.0.1:8888"))
        for name in PASSWORD_NAMES:
            value = left.pop(name, None)
            if value is not None:
                self._set(API + name.replace("_", "-"), self._text(value, ("webui", name)), ("webui", name))
        if "password" in given and "password_hash" in given:
            raise self._wrong(("webui", "password_hash"), "and password: one of both is enough")
        for name in ("force_https", "ssl_certificate", "ssl_private_key"):
            if left.pop(name, None):
                raise self._wrong(("webui", name), "cannot be honoured: put a proxy that speaks TLS before the port")
        left.pop("allow_empty_password", None)
        self._whitelist = left.pop("dir_whitelist", None)
        self._found.ignored += [f"webui.{name}" for name in left]

    def _listen(self, value: Any) -> None:
        place = ("webui", "listen")
        host, colon, port = self._text(value, place).rpartition(":")
        if not colon or not port.isdigit():
            raise self._wrong(place, "is to be an address and a port, as 127.0.0.1:8888")
        self._set(f"{API}address", host.strip("[]") or "127.0.0.1", place)
        self._set(f"{API}api-port", port, place)

    def _permitted(self) -> None:
        root, policy = self._left.pop("directory_root", None), self._left.pop("directory_root_policy", "all")
        if policy not in ("all", "belowroot"):
            raise self._wrong(("directory_root_policy",), "is to be all or belowroot")
        permitted = [] if policy == "all" or root is None else [self._path(root, ("directory_root",))]
        if self._whitelist is not None:
            place = ("webui", "dir_whitelist")
            permitted += [self._path(one, place) for one in self._list(self._whitelist, place)]
        self._set(f"{API}permitted-folders", "\n".join(map(str, permitted)), ("directory_root",))

    def _shared(self, defaults: dict[str, Any]) -> None:
        usual = {
            DEFAULTS[name]: int(self._flag(value, ("folder_defaults", name)))
            for name, value in defaults.items()
            if name in DEFAULTS
        }
        hosts = self._hosts(defaults.get("known_hosts", []), ("folder_defaults", "known_hosts"))
        self._found.ignored += [f"folder_defaults.{one}" for one in defaults.keys() - DEFAULTS.keys() - {"known_hosts"}]
        given = self._left.pop("shared_folders", None)
        if given is None:
            return
        rows = self._list(given, ("shared_folders",))
        if len(rows) > MOST_FOLDERS:
            raise self._wrong(("shared_folders",), f"has more than {MOST_FOLDERS} folders")
        self._found.folders = [self._folder(row, ("shared_folders", n), usual, hosts) for n, row in enumerate(rows)]
        self._check_doubles(self._found.folders)

    def _folder(self, value: Any, place: Place, usual: Mapping[str, int], hosts: tuple[str, ...]) -> SharedFolder:
        left = dict(self._object(value, place))
        for name in ("secret", "dir"):
            if name not in left:
                raise self._wrong(place, f"has no {name}")
        secret = self._text(left.pop("secret"), (*place, "secret"))
        writes = self._secret(secret, (*place, "secret")).may_write
        directory = self._path(left.pop("dir"), (*place, "dir"))
        own = {name: int(self._flag(left.pop(name), (*place, name))) for name in FOLDER_FLAGS if name in left}
        if writes and own.pop("overwrite_changes", 0):
            self._found.ignored.append(".".join(map(str, (*place, "overwrite_changes"))))
        if "known_hosts" in left:
            hosts = self._hosts(left.pop("known_hosts"), (*place, "known_hosts"))
        self._found.ignored += [".".join(map(str, (*place, name))) for name in left]
        return SharedFolder(directory, secret, {**usual, **({"use_hosts": 1} if hosts else {}), **own}, hosts)

    def _secret(self, text: str, place: Place) -> Secret:
        try:
            return parse(text)
        except BitDustError as error:
            raise self._wrong(place, f"is wrong: {error}") from error

    def _hosts(self, value: Any, place: Place) -> tuple[str, ...]:
        return tuple(self._text(one, place) for one in self._list(value, place))

    def _check_doubles(self, folders: list[SharedFolder]) -> None:
        for attribute, what in (("secret", "secret"), ("directory", "dir")):
            seen = set()
            for number, one in enumerate(folders):
                if getattr(one, attribute) in seen:
                    raise self._wrong(("shared_folders", number, what), "is that of another folder as well")
                seen.add(getattr(one, attribute))


SAMPLE = """\
{
  "device_name": "My device",
  // port for peers; 0 takes any
  "listening_port": 0,

  // folder where the node keeps what it knows; it must exist
  "storage_path": "/home/user/.sync",

  // file for the number of the process
  // "pid_file": "/var/run/bitdust.pid",

  // limits in KB a second; 0 is none
  "download_limit": 0,
  "upload_limit": 0,

  "webui": {
    "listen": "127.0.0.1:8888",
    "login": "api",
    "password": "change-me",
    // any text switches the API on
    "api_key": "any"
  },

  // folders that are named here take the place of those that were added otherwise
  /*
  "shared_folders": [
    {
      // bitdust btsync --generate-secret
      "secret": "PUT_A_SECRET_HERE",
      "dir": "/home/user/shared",
      "use_relay_server": true,
      "use_tracker": true,
      "use_dht": false,
      "search_lan": true,
      "use_sync_trash": true,
      "known_hosts": ["192.168.1.2:44444"]
    }
  ]
  */
}
"""
"""A file to begin with."""
