"""What a person wants of a folder and of all of them, as its thread needs it, and how this machine is called."""

import socket
from typing import Self

from attrs import frozen

from bitdust.config.settings import Settings
from bitdust.disk.reserve import SETTING as RESERVE
from bitdust.folders.archive import MB
from bitdust.folders.config import FolderConfig
from bitdust.identity.me import Me

DEVICE_NAME = "services/folder-sync/device-name"


@frozen
class Wishes:
    """``archive_days`` and ``deletion_days``: after which versions, and deletions, are forgotten; 0 is never."""

    is_archived: bool
    largest: int
    archive_days: int
    deletion_days: int
    is_selective: bool
    reserve: int
    """Percent of the disk that stay free."""

    @classmethod
    def of(cls, config: FolderConfig, settings: Settings) -> Self:
        """As they are now."""
        return cls(
            config.wants("use_sync_trash"),
            int(settings.get("services/folder-sync/versioned-file-max")) * MB,
            int(settings.get("services/folder-sync/trash-days")),
            int(settings.get("services/folder-sync/deletion-days")),
            config.wants("selective_sync"),
            int(settings.get(RESERVE)),
        )


def device_name(settings: Settings, me: Me) -> str:
    """What peers and clients are told: what was set, else the person's name, else that of the machine."""
    chosen = str(settings.get(DEVICE_NAME))
    if not chosen and me.present and not me.document.sources[0].is_nowhere:
        chosen = me.document.name
    return (chosen or socket.gethostname())[:64]
