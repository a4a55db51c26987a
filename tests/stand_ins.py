"""What stands for whole rooms in the tests of others. Mypy reads this file, so that a port which grows is seen here."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed

from bitdust.folders.port import (
    PREFERENCES,
    ChangeRow,
    Chosen,
    ConflictRow,
    EntryRow,
    FolderRow,
    FoldersPort,
    KeptRow,
    PeerRow,
    SuppliersRow,
    VersionRow,
)
from bitdust.folders.secrets import Secret, make
from bitdust.storage.restore.options import AS_SET, RestoreOptions
from bitdust.storage.storage import Storage
from bitdust.storage.upload.options import USUAL, UploadOptions
from bitdust.suppliers.lost import AuditResults
from bitdust.suppliers.replacement import StoredPieces
from bitdust.suppliers.resizing import StoredPacks
from bitdust.wire.errors import BitDustError

Row = dict[str, Any]
Rows = list[Row]


class StoredAsSaid:
    """What the catalog would know: a test says which piece is where."""

    def __init__(self) -> None:
        self.data = False
        self.resized = False
        self.nowhere = 0
        self.whole = True
        self.unmoved: set[tuple[int, bytes]] = set()
        self.needed: set[tuple[int, bytes]] = set()
        self.without_log: set[bytes] = set()
        self.unread: set[bytes] = set()
        self.unlisted: set[bytes] = set()
        self.complete: set[bytes] = set()
        self.wiped: set[bytes] = set()
        self.slow: set[bytes] = set()
        self.past = 0.0
        self.late = 1_800_000_000.0
        self.refusing: dict[bytes, float] = {}
        self.strikes: dict[bytes, int] = {}
        self.my_customers: set[bytes] = set()

    def has_data(self) -> bool:
        return self.data

    def has_moved(self, position: int, supplier: bytes) -> bool:
        return (position, supplier) not in self.unmoved

    def has_all(self, position: int, supplier: bytes) -> bool:
        return supplier in self.complete

    def is_needed(self, position: int, supplier: bytes, former: bytes) -> bool:
        return (position, former) in self.needed

    def has_read(self, supplier: bytes) -> bool:
        return supplier not in self.unread

    def names_others(self, supplier: bytes) -> bool:
        return supplier not in self.wiped and (supplier not in self.unread or supplier in self.slow)

    def has_listed(self, supplier: bytes) -> bool:
        return supplier not in self.unlisted

    def is_past(self, moment: float) -> bool:
        return self.past > moment

    def latest(self) -> float:
        return self.late

    def refusing_for(self, supplier: bytes) -> float:
        return self.refusing.get(supplier, 0.0)

    def rounds(self, supplier: bytes) -> tuple[int, int]:
        return 0, self.strikes.get(supplier, 0)

    def fingerprints(self) -> frozenset[bytes]:
        return frozenset(self.my_customers)

    def failed_in_a_row(self, supplier: bytes) -> int | None:
        return self.strikes.get(supplier)

    def failing(self, least: int) -> frozenset[bytes]:
        return frozenset(who for who, count in self.strikes.items() if count >= least)

    def is_logged_at(self, supplier: bytes) -> bool:
        return supplier not in self.without_log

    def is_resized(self, since: float | None) -> bool:
        return self.resized

    def left_out(self) -> int:
        return self.nowhere

    def is_whole(self) -> bool:
        return self.whole


pieces: StoredPieces = StoredAsSaid()
packs: StoredPacks = StoredAsSaid()
audits: AuditResults = StoredAsSaid()


class Began:
    """A job that is done already."""

    def __init__(self, result: Row) -> None:
        self.completion: Deferred[Row] = succeed(result)
        self.answer = self.completion
        self.automat: Row = {"index": 1, "id": "backup"}

    def describe(self) -> Row:
        return {"began": True}


class ClosedStorage(Storage):
    """A storage that was never opened: it remembers which jobs began, and each is done at once."""

    catalogs: Any = SimpleNamespace(is_shared=lambda name: False)

    def __init__(self, **result: Any) -> None:
        self._core = None
        self.result = result
        self.asked: list[tuple[Any, ...]] = []

    async def upload(self, local_path: str, remote_path: str, options: UploadOptions = USUAL) -> Any:
        self.asked.append(("upload", local_path, remote_path))
        return Began(self.result | {"remote_path": remote_path})

    async def download(self, remote_path: str, destination: str, policy: str, options: RestoreOptions = AS_SET) -> Any:
        self.asked.append(("download", remote_path, destination, policy))
        return Began(self.result | {"remote_path": remote_path})


class FolderStorage(ClosedStorage):
    """Knows one folder ``documents``, where something cannot be read."""

    def __init__(self) -> None:
        super().__init__(problems=[{"path": "x", "reason": "cannot be read"}])

    def info(self, remote_path: str, include_uploads: bool, include_downloads: bool) -> Row:
        if remote_path != "documents":
            raise BitDustError("not-found", f"{remote_path} was not found in the catalog")
        return {"name": "documents", "type": "folder"}

    def exists(self, remote_path: str) -> str | None:
        return "0" if remote_path == "documents" else None

    async def create(self, remote_path: str, as_folder: bool, exist_ok: bool, force_path_id: str | None) -> Row:
        self.asked.append(("create", remote_path, as_folder))
        return {"path_id": "1"}

    async def list(
        self,
        remote_path: str | None,
        key_id: str | None,
        recursive: bool,
        include_uploads: bool,
        include_downloads: bool,
        offset: int = 0,
        limit: int | None = None,
    ) -> Rows:
        versions = [{"backup_id": "0/F1", "reliable": "100%", "delivered": "100%"}]
        return [{"path_id": "0", "type": "file", "size": 5 << 20, "path": "a\x1b[31m", "versions": versions}]

    def uploads(self) -> dict[str, Rows]:
        return {"running": [], "pending": [{"path_id": "0", "remote_path": "documents"}]}

    def failed_uploads(self) -> Rows:
        return []

    def downloads(self) -> Rows:
        return []

    async def delete(self, remote_path: str, wait_result: bool = False) -> Row:
        return {"remote_path": "alice:a\x1b[31m", "path_id": remote_path}


class FoldersAsSaid:
    """Folders that are kept in memory; a test says what is in them, and sees in ``asked`` what was asked for."""

    def __init__(self) -> None:
        self.rows: dict[str, FolderRow] = {}
        self.chosen: dict[str, dict[str, int]] = {}
        self.known_hosts: dict[str, list[str]] = {}
        self.entries: dict[tuple[str, str], list[EntryRow]] = {}
        self.near: list[PeerRow] = []
        self.rules: list[str] = []
        self.asked: list[tuple[Any, ...]] = []
        self.moving = (0, 0)
        self.limited: dict[str, tuple[int, int]] = {}
        self.has_suppliers = True
        self.called = "laptop"
        self.at_suppliers: dict[str, SuppliersRow] = {}

    def folders(self) -> list[FolderRow]:
        return list(self.rows.values())

    def find(self, secret: str) -> FolderRow | None:
        return self.rows.get(secret)

    def _known(self, secret: str) -> str:
        if secret not in self.rows:
            raise BitDustError("no-such-folder", "no folder here has this secret")
        return secret

    def add(self, directory: Path, secret: Secret | None, selective: bool = False) -> "Deferred[FolderRow]":
        if not directory.is_dir():
            return fail(BitDustError("no-folder", f"{directory} is no folder"))
        if not os.access(directory, os.W_OK):
            return fail(BitDustError("not-writable", f"{directory} may not be written"))
        found = secret or make("A", lambda size: len(self.rows).to_bytes(size, "big"))
        if found.text in self.rows or any(row.directory == directory for row in self.folders()):
            return fail(BitDustError("already-added", f"{directory} was added before"))
        row = FolderRow(directory, found.text)
        self.rows[found.text] = row
        self.chosen[found.text] = dict(PREFERENCES) | {"selective_sync": int(selective)}
        self.known_hosts[found.text] = []
        return succeed(row)

    def remove(self, secret: str) -> "Deferred[None]":
        del self.rows[self._known(secret)]
        return succeed(None)

    def files(self, secret: str, path: str) -> "Deferred[list[EntryRow]]":
        return succeed(self.entries.get((self._known(secret), path), []))

    def choose(self, secret: str, path: str, download: bool) -> "Deferred[EntryRow | None]":
        if not self.chosen[self._known(secret)]["selective_sync"]:
            return fail(BitDustError("not-selective", "everything is wanted in this folder"))
        folder, _, name = path.rpartition("/")
        rows = self.entries.get((secret, folder), [])
        for place, row in enumerate(rows):
            if row.name == name:
                rows[place] = evolve(row, download=download)
                return succeed(rows[place])
        return succeed(None)

    def peers(self, secret: str) -> list[PeerRow]:
        return self.near

    def preferences(self, secret: str) -> Chosen:
        return self.chosen[self._known(secret)]

    def set_preferences(self, secret: str, changes: Chosen) -> "Deferred[None]":
        self.chosen[self._known(secret)].update(changes)
        return succeed(None)

    def hosts(self, secret: str) -> Sequence[str]:
        return self.known_hosts[self._known(secret)]

    def set_hosts(self, secret: str, hosts: Sequence[str]) -> "Deferred[None]":
        self.known_hosts[self._known(secret)] = list(hosts)
        return succeed(None)

    def _asked(self, *what: Any) -> "Deferred[None]":
        self._known(what[1])
        self.asked.append(what)
        return succeed(None)

    def pause(self, secret: str) -> "Deferred[None]":
        self.rows[secret] = evolve(self.rows[self._known(secret)], paused=True)
        return self._asked("pause", secret)

    def resume(self, secret: str) -> "Deferred[None]":
        self.rows[secret] = evolve(self.rows[self._known(secret)], paused=False)
        return self._asked("resume", secret)

    def rescan(self, secret: str) -> "Deferred[None]":
        return self._asked("rescan", secret)

    def conflicts(self, secret: str) -> "Deferred[list[ConflictRow]]":
        self._known(secret)
        return succeed([ConflictRow("a.Conflict-bob.txt", "a.txt", 5, 100)])

    def history(self, secret: str, path: str, limit: int) -> "Deferred[list[ChangeRow]]":
        self._known(secret)
        return succeed([ChangeRow(path or "a.txt", "changed", 100, "bob", 5)][:limit])

    def versions(self, secret: str, path: str) -> "Deferred[list[VersionRow]]":
        self._known(secret)
        return succeed([VersionRow(path, "1", 4, 90)])

    def restore(self, secret: str, path: str, version: str) -> "Deferred[None]":
        return self._asked("restore", secret, path, version)

    def confirm_deletes(self, secret: str) -> "Deferred[int]":
        return self._asked("confirm", secret).addCallback(lambda _: 7)

    def ignore_rules(self, secret: str) -> "Deferred[list[str]]":
        self._known(secret)
        return succeed(self.rules)

    def set_ignore_rules(self, secret: str, rules: Sequence[str]) -> "Deferred[None]":
        self.rules = list(rules)
        return self._asked("rules", secret)

    def limits(self, secret: str) -> tuple[int, int]:
        return self.limited.get(self._known(secret), (0, 0))

    def set_limits(self, secret: str, download: int, upload: int) -> None:
        self.limited[self._known(secret)] = (download, upload)

    def suppliers(self, secret: str) -> "Deferred[SuppliersRow]":
        return succeed(self.at_suppliers.get(self._known(secret), SuppliersRow()))

    def set_suppliers(self, secret: str, wanted: bool) -> "Deferred[SuppliersRow]":
        if wanted and not self.has_suppliers:
            return fail(BitDustError("no-suppliers", "this node has no suppliers yet"))
        self.at_suppliers[self._known(secret)] = SuppliersRow(wanted, "keeping" if wanted else "off", 10, 4, 6)
        return self.suppliers(secret)

    def kept(self) -> "Deferred[list[KeptRow]]":
        return succeed([KeptRow("0" * 16, "photos", "D", 100)])

    def bring_back(self, ident: str, directory: Path) -> "Deferred[FolderRow]":
        return self.add(directory, None)

    def device_name(self) -> str:
        return self.called

    def speed(self) -> tuple[int, int]:
        return self.moving


_THEY_ARE_FOLDERS: FoldersPort = FoldersAsSaid()
