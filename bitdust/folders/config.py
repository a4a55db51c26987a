"""Which folders this node has: ``folders/folders.json`` in the home, private, because it holds their secrets.

It is JSON while the node has no identity, and then ``BDfolders1`` and a box for its device and its RSA key, with the
same in it, compressed. So a home that is locked gives the secrets of folders to nobody.
"""

import json
import zlib
from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from attrs import asdict, define, evolve, field
from twisted.logger import Logger

from bitdust.crypt.boxes import MAX_BOX, open_box, seal_for
from bitdust.crypt.files import make_private_folder, write_safely
from bitdust.folders.keys import FolderKeys
from bitdust.folders.port import OVERWRITE, PREFERENCES
from bitdust.folders.secrets import Secret, parse
from bitdust.identity.me import Me
from bitdust.wire.errors import BitDustError

VERSION = 1
FILE = "folders.json"
SEALED = b"BDfolders1"
MOST = 16 * 1024 * 1024
"""Bytes of the list."""
KNOWN = dict(PREFERENCES) | {OVERWRITE: 0}


@define
class FolderConfig:
    """One folder: where it is, by which secret, and what its person wants of it."""

    dir: Path
    text: str = field(repr=False)
    preferences: dict[str, int] = field(factory=lambda: dict(KNOWN))
    hosts: list[str] = field(factory=list)
    paused: bool = False
    suppliers: bool = False
    """Whether my suppliers keep it too."""
    download_limit: int = 0
    upload_limit: int = 0
    """Thousands of bytes a second; 0 is none."""
    withdrawing: bool = False
    """Whether it is to be taken from my suppliers, and that is not done yet."""
    removed: bool = False
    """Whether it is in sync no more, and here only because it is still to be taken from my suppliers."""

    @cached_property
    def secret(self) -> Secret:
        """The secret, read once: to tell one from another takes some milliseconds."""
        return parse(self.text)

    @cached_property
    def holder(self) -> bytes | None:
        """The public key of whoever reads the folder at suppliers by its secret alone; None for a keeper."""
        holder = FolderKeys(self.secret).holder
        return holder.public if holder is not None else None

    def weaker(self) -> list[str]:
        """Secrets that can be told from it."""
        return [one.text for one in self.secret.weaker()]

    @property
    def label(self) -> str:
        """How the folder is called where its secret must not be: in logs and machines."""
        return self.secret.folder_id.hex()[:8]

    def wants(self, preference: str) -> bool:
        """Whether a preference is on."""
        return bool(self.preferences.get(preference, KNOWN[preference]))


class Book:
    """I keep the list; every change is on the disk before it counts."""

    log = Logger()

    def __init__(self, home: Path, me: Me) -> None:
        self._home = home
        self._me = me
        self._folders: list[FolderConfig] | None = None
        self._holder: tuple[bytes, bytes] | None = None
        """Who can open the file as it is: an identity and its device; None for everybody who reads it."""
        me.changed.connect(self._me_changed)

    def _mine(self) -> tuple[bytes, bytes] | None:
        return (self._me.fingerprint, self._me.device.id) if self._me.present else None

    def _me_changed(self) -> None:
        """The node is another one, or has become one: the list is sealed for that."""
        if self._me.present and self._holder != self._mine():
            try:
                self._seal(self._known())
            except BitDustError as error:
                self.log.warn("the list of folders cannot be read: {why}", why=error)

    def _seal(self, folders: list[FolderConfig]) -> None:
        if folders and self._me.present and self._holder != self._mine():
            try:
                self._write(folders)
            except (BitDustError, OSError) as error:
                self.log.warn("the list of folders is not sealed for this device: {why}", why=error)

    @property
    def path(self) -> Path:
        """The file."""
        return self._home / FILE

    def all(self) -> list[FolderConfig]:
        """Every folder, in the order in which they were added. Raises ``broken-folders``."""
        return [one for one in self._known() if not one.removed]

    def leaving(self) -> list[FolderConfig]:
        """Those that were removed, and are still to be taken from suppliers. Raises ``broken-folders``."""
        return [one for one in self._known() if one.removed]

    def _known(self) -> list[FolderConfig]:
        if self._folders is None:
            self._folders = self._read()
            self._seal(self._folders)
        return self._folders

    def _read(self) -> list[FolderConfig]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        if data.startswith(SEALED) and not self._me.present:
            raise self._me.absence()
        try:
            value = json.loads(self._opened(data).decode())
            return [_config(one) for one in value["folders"]]
        except (ValueError, TypeError, KeyError, zlib.error, BitDustError) as error:
            text = (
                f"{self.path} is damaged ({error}); bring it back from a copy, or remove it and add all folders again"
            )
            raise BitDustError("broken-folders", text) from error

    def _write(self, folders: Iterable[FolderConfig]) -> None:
        value = {"version": VERSION, "folders": [asdict(one) | {"dir": str(one.dir)} for one in folders]}
        data, mine = json.dumps(value, indent=1).encode(), self._mine()
        if mine is not None:
            packed = zlib.compress(data)
            if len(data) > MOST or len(packed) > MAX_BOX - 1024:
                raise BitDustError("too-many", "there is no room for another folder in the list of them")
            data = SEALED + seal_for(self._me.public, [self._me.device.public], packed)
        make_private_folder(self._home)
        write_safely(self.path, data)
        self._holder = mine

    def _opened(self, data: bytes) -> bytes:
        if not data.startswith(SEALED):
            return data
        packed = open_box(data.removeprefix(SEALED), self._me.device, self._me.held_master)
        self._holder = self._mine()
        unzipping = zlib.decompressobj()
        return unzipping.decompress(packed, MOST)

    def add(self, config: FolderConfig, instead: Collection[FolderConfig] = ()) -> None:
        """One more, in place of others."""
        wanted = [*(one for one in self._known() if one not in instead), config]
        self._write(wanted)
        self._folders = wanted

    def remove(self, config: FolderConfig) -> None:
        """One fewer; what is still to be taken from suppliers is kept in mind until that is done."""
        if config.withdrawing and not config.removed:
            self.change(config, removed=True)
            return
        wanted = [one for one in self._known() if one is not config]
        self._write(wanted)
        self._folders = wanted

    def withdrawn(self, config: FolderConfig) -> None:
        """It is at suppliers no more."""
        if config.removed:
            self.remove(config)
        else:
            self.change(config, withdrawing=False)

    def change(self, config: FolderConfig, **changes: Any) -> None:
        """Other wishes of its person, for whoever holds ``config``."""
        self._write(evolve(one, **changes) if one is config else one for one in self._known())
        for name, value in changes.items():
            setattr(config, name, value)

    def find(self, text: str) -> FolderConfig | None:
        """A folder by the secret that it was added with, or one that can be told from that."""
        return next((one for one in self.all() if text == one.text or text in one.weaker()), None)


def _config(value: dict[str, Any]) -> FolderConfig:
    found = FolderConfig(
        Path(value["dir"]),
        str(value["text"]),
        KNOWN | {str(name): int(one) for name, one in value["preferences"].items()},
        [str(host) for host in value["hosts"]],
        bool(value["paused"]),
        bool(value.get("suppliers")),
        int(value.get("download_limit", 0)),
        int(value.get("upload_limit", 0)),
        bool(value.get("withdrawing")),
        bool(value.get("removed")),
    )
    parse(found.text)
    return found
