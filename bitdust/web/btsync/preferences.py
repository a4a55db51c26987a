"""Preferences of the whole node: their names and types on the wire, and the settings that they are here.

The types are what the vendor's daemon was recorded to send: some numbers are numbers, others are strings of digits, and
what is true or false is 1 or 0. Source: BitTorrent Sync API, "Get preferences", and recorded answers.
"""

from collections.abc import Callable
from typing import Any

from attrs import frozen

from bitdust.config.settings import Settings
from bitdust.config.types import SettingError
from bitdust.folders.wishes import DEVICE_NAME
from bitdust.web.btsync.arguments import FALSE, TRUE, Arguments

LISTENING_PORT = "services/tcp-connections/tcp-port"


@frozen
class Preference:
    """One of them: its setting, and how its value is written."""

    name: str
    key: str
    show: Callable[[Any], Any]
    is_flag: bool = False

    def read(self, text: str) -> Any:
        """The value for the setting. Raises `ValueError`."""
        if not self.is_flag:
            return text
        word = text.strip().lower()
        if word not in TRUE | FALSE:
            raise ValueError(text)
        return word in TRUE


def _flag(name: str, key: str) -> Preference:
    return Preference(name, key, int, is_flag=True)


PREFERENCES = (
    Preference("device_name", DEVICE_NAME, str),
    _flag("disk_low_priority", "services/folder-sync/low-priority-enabled"),
    Preference("download_limit", "services/folder-sync/download-limit", int),
    Preference("folder_rescan_interval", "services/folder-sync/rescan-seconds", str),
    _flag("lan_encrypt_data", "services/folder-sync/lan-encryption-enabled"),
    _flag("lan_use_tcp", "services/folder-sync/lan-tcp-enabled"),
    Preference("lang", "services/folder-sync/language", int),
    Preference("listening_port", LISTENING_PORT, int),
    Preference("max_file_size_diff_for_patching", "services/folder-sync/patched-file-max", str),
    Preference("max_file_size_for_versioning", "services/folder-sync/versioned-file-max", str),
    _flag("rate_limit_local_peers", "services/folder-sync/limit-local-peers-enabled"),
    Preference("recv_buf_size", "services/folder-sync/receive-buffer", str),
    Preference("send_buf_size", "services/folder-sync/send-buffer", str),
    Preference("sync_max_time_diff", "services/folder-sync/max-time-diff", str),
    Preference("sync_trash_ttl", "services/folder-sync/trash-days", str),
    Preference("upload_limit", "services/folder-sync/upload-limit", int),
    _flag("use_upnp", "services/folder-sync/upnp-enabled"),
)


def current(settings: Settings, device_name: str) -> dict[str, Any]:
    """All of them, always; ``device_name`` is what peers see."""
    return {one.name: one.show(settings.get(one.key)) for one in PREFERENCES} | {"device_name": device_name}


def change(settings: Settings, given: Arguments) -> None:
    """Those that are given; a value that one does not take leaves it as it was."""
    for one in PREFERENCES:
        if one.name not in given:
            continue
        try:
            settings.set(one.key, one.read(given.text(one.name)))
        except (SettingError, ValueError):
            continue
