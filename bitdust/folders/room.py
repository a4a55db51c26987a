"""The folders of one node: what the API, the old dialect and the command line call."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, succeed

from bitdust.batching import InTurn
from bitdust.folders import listing, rows, secrets
from bitdust.folders.backup.removed import RemovedFolders
from bitdust.folders.backup.room import SupplierCopies
from bitdust.folders.config import KNOWN, Book, FolderConfig
from bitdust.folders.exchange import Exchange
from bitdust.folders.finding import Finding
from bitdust.folders.folder import Folder
from bitdust.folders.ignoring import LIST, MAX_RULES
from bitdust.folders.limiting import Limits
from bitdust.folders.pace import Pace
from bitdust.folders.port import (
    OVERWRITE,
    PREFERENCES,
    ChangeRow,
    Chosen,
    ConflictRow,
    EntryRow,
    FolderRow,
    KeptRow,
    PeerRow,
    SuppliersRow,
    VersionRow,
)
from bitdust.folders.rereading import Rereading
from bitdust.folders.secrets import Secret
from bitdust.folders.wishes import device_name
from bitdust.outcome import unbroken
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.addresses import split_host
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.table import Row

ENABLED = "services/folder-sync/enabled"
MOST_HOSTS = 100


class Folders:
    """I keep the list of folders always, and have them in sync from `open` to `close`, which the service calls.

    ``is_friend`` says who is greeted without having been looked for, ``become_somebody`` makes an identity without a
    name where there is none: a secret and another machine are all that a folder needs.
    """

    def __init__(
        self, around: Connected, is_friend: Callable[[bytes], bool], become_somebody: "Callable[[], Deferred[Any]]"
    ) -> None:
        self._around = around
        self._become_somebody = become_somebody
        self._home = around.world.home / "folders"
        self.book = Book(self._home, around.me)
        self._open: dict[str, Folder] = {}
        self._turns = InTurn()
        self.is_open = False
        self.changed = Signal[[str]]()
        """The folder of this secret is another than it was."""
        self.exchange = Exchange(around, self.open_folders)
        self.finding = Finding(around, self.exchange, self.open_folders, is_friend)
        self.copies = SupplierCopies(self.book.withdrawn)
        self._removed = RemovedFolders(around, self.book, self.copies, self._place)
        self._limits = Limits(around.world.clock, around.settings)
        self._pace = Pace(around.world.clock, self._moved)
        self.rereading = Rereading(around, self.open_folders)

    # the service

    def open(self) -> None:
        """Have all folders in sync. Raises ``broken-folders``."""
        configs = self.book.all()
        self.is_open = True
        self.finding.start()
        for config in configs:
            self._begin(config)
        self._removed.open()

    def close(self) -> "Deferred[Any]":
        """Fires when nothing is open any more."""
        self.is_open = False
        self.finding.stop()
        self._limits.stop()
        self._removed.close()
        folders, self._open = list(self._open.values()), {}
        ends = [self._turns.settled(), *(self._end(folder) for folder in folders)]  # some were removed just before
        return gatherResults(ends, consumeErrors=True)

    def _end(self, folder: Folder) -> "Deferred[Any]":
        self.copies.end(folder)
        return self._turns.run(folder.config.secret.folder_id, folder.stop)

    def packet_rows(self) -> list[Row]:
        """Rows of the packet table."""
        return self.exchange.rows()

    def holds(self, fingerprint: bytes) -> bool:
        """Whether somebody takes part in a folder of this node."""
        return self.exchange.is_peer(fingerprint)

    def problem(self) -> str:
        """What keeps folders from being looked after. One whose disk is not there says so itself; the others go on."""
        if not self.is_open:
            return "no folder is open"
        seen = [text for text, folder in self._open.items() if folder.machine.state != "CLOSED"]
        return next((f"nobody looks after {one.dir}" for one in self.book.all() if one.text not in seen), "")

    def open_folders(self) -> list[Folder]:
        """Those that are in sync, or on their way."""
        return list(self._open.values())

    def _begin(self, config: FolderConfig) -> Folder:
        folder = self._open[config.text] = Folder(self._around, self._place(config), config, self._limits)
        folder.changed.connect(lambda: self._changed(folder))
        folder.met.connect(self.finding.look_for)
        folder.start()
        self.copies.follow(folder, self._place(config))
        return folder

    def _place(self, config: FolderConfig) -> Path:
        return self._home / config.secret.folder_id.hex()[:32]

    def _changed(self, folder: Folder) -> None:
        self.changed.emit(folder.config.text)

    def _moved(self) -> tuple[int, int]:
        folders = self._open.values()
        return sum(one.received for one in folders), sum(one.sent for one in folders)

    # the list

    def folders(self) -> list[FolderRow]:
        """All folders, in the order in which they were added."""
        return [self._row(config) for config in self.book.all()]

    def find(self, secret: str) -> FolderRow | None:
        """One of them by the secret that it was added with."""
        config = self.book.find(secret)
        return self._row(config) if config is not None else None

    def _row(self, config: FolderConfig) -> FolderRow:
        folder = self._open.get(config.text)
        if folder is None:
            return FolderRow(config.dir, config.text, paused=config.paused)
        return rows.folder_row(folder)

    def add(self, directory: Path, secret: Secret | None, selective: bool = False) -> "Deferred[FolderRow]":
        """Have a folder in sync; without a secret a new one is made.

        Fails with `BitDustError` ``no-folder``, ``not-writable``, ``already-added``, ``nested-folder``.
        """
        return Deferred.fromCoroutine(self._add(directory, secret, selective))

    async def _add(self, directory: Path, secret: Secret | None, selective: bool) -> FolderRow:
        made = secret if secret is not None else secrets.make("A", self._around.world.entropy)
        self._check(directory, made)
        me = self._around.me
        if not me.present and not me.locked_key and not me.searched_because:
            await self._become_somebody()
        return await unbroken(self._add_whole(directory, made, selective))

    async def _add_whole(self, directory: Path, made: Secret, selective: bool) -> FolderRow:
        config = FolderConfig(directory.resolve(), made.text, KNOWN | {"selective_sync": int(selective)})
        await self._removed.add(config, lambda: self._check(directory, made))  # another one may have been added
        if not self._around.settings.get(ENABLED):
            self._around.settings.set(ENABLED, True)
        async with self._turns.of(made.folder_id):  # the same one may have been removed, and be on its way to its end
            if self.is_open and config.text not in self._open and self.book.find(config.text) is config:
                self._begin(config)
        return self._row(config)

    def _check(self, directory: Path, secret: Secret) -> None:
        if not directory.is_absolute() or not directory.is_dir():
            raise BitDustError("no-folder", f"{directory} is no folder of this machine")
        where, home = directory.resolve(), self._around.world.home.resolve()
        if where == home or where in home.parents or home in where.parents:
            raise BitDustError("nested-folder", f"{where} and the home of this node, {home}: one is in the other")
        for config in self.book.all():
            if config.dir == where or config.secret.folder_id == secret.folder_id:
                raise BitDustError("already-added", f"{config.dir} is in sync already")
            if where in config.dir.parents or config.dir in where.parents:
                raise BitDustError("nested-folder", f"{where} and {config.dir}: one is in the other")
        if not os.access(where, os.R_OK | os.W_OK | os.X_OK):
            raise BitDustError("not-writable", f"this user may not write in {where}")

    def remove(self, secret: str) -> "Deferred[Any]":
        """Keep a folder in sync no more; its files stay. Fails with ``no-such-folder``."""
        config = self._config(secret)
        self.book.remove(config)
        if (folder := self._open.pop(config.text, None)) is None:
            return succeed(None)
        folder.store.run(folder.store.forget)
        return self._end(folder).addCallback(lambda _: self._removed.go_on(config))

    def _config(self, secret: str) -> FolderConfig:
        config = self.book.find(secret)
        if config is None:
            raise BitDustError("no-such-folder", "there is no folder with that secret")
        return config

    def _folder(self, secret: str) -> Folder:
        folder = self._open.get(self._config(secret).text)
        if folder is None:
            raise BitDustError("service-off", "folders are not kept in sync now: set services/folder-sync/enabled true")
        return folder

    # what is in a folder

    def _ask(self, secret: str, call: Callable[..., Any], *arguments: Any) -> "Deferred[Any]":
        folder = self._folder(secret)
        if folder.machine.state in ("AT_STARTUP", "OPENING", "BROKEN"):
            return succeed(None).addCallback(lambda _: _raise(folder))
        return folder.store.run(call, folder.store.journal, *arguments)

    def files(self, secret: str, path: str) -> "Deferred[list[EntryRow]]":
        """Names in a folder of the folder; ``/`` is its root."""
        selective = self._config(secret).wants("selective_sync")
        return self._ask(secret, listing.entries, path, selective)

    def choose(self, secret: str, path: str, download: bool) -> "Deferred[EntryRow | None]":
        """Whether a file, or a folder with all in it, shall be on this disk. Code: ``not-selective``."""
        if not self._config(secret).wants("selective_sync"):
            raise BitDustError("not-selective", "everything in this folder is wanted: set selective_sync first")

        def chosen(row: EntryRow | None) -> EntryRow | None:
            self._folder(secret).machine.send("due")
            return row

        return self._ask(secret, listing.choose, path, download).addCallback(chosen)

    def conflicts(self, secret: str) -> "Deferred[list[ConflictRow]]":
        """Conflict copies that lie in the folder."""
        return self._ask(secret, listing.conflicts)

    def history(self, secret: str, path: str, limit: int) -> "Deferred[list[ChangeRow]]":
        """What has happened below a path, the newest first."""
        return self._ask(secret, listing.changes, path, limit)

    def versions(self, secret: str, path: str) -> "Deferred[list[VersionRow]]":
        """Former versions of a path that are in this node's archive."""
        folder = self._folder(secret)
        return folder.store.run(folder.store.archive.versions, path.strip("/"))

    def restore(self, secret: str, path: str, version: str) -> "Deferred[None]":
        """Bring a former version back as the newest one. Code: ``no-such-version``."""
        folder = self._folder(secret)
        restoring = folder.store.run(folder.store.archive.restore, path.strip("/"), version)
        return restoring.addCallback(lambda _: folder.look((path.strip("/"),)))

    def confirm_deletes(self, secret: str) -> "Deferred[int]":
        """Do the deletions that waited for a person's word; how many."""

        def confirmed(count: int) -> int:
            self._folder(secret).machine.send("due")
            return count

        return self._ask(secret, listing.confirm).addCallback(confirmed)

    def ignore_rules(self, secret: str) -> "Deferred[list[str]]":
        """The ignore list, a rule a line."""
        folder = self._folder(secret)
        return folder.store.run(folder.store.read_housekeeping, LIST, MAX_RULES).addCallback(str.splitlines)

    def set_ignore_rules(self, secret: str, rules: Sequence[str]) -> "Deferred[None]":
        """Another ignore list. Code: ``bad-rule``."""
        text = "".join(f"{rule}\n" for rule in rules)
        if len(text.encode()) > MAX_RULES or any("\n" in rule or "\0" in rule for rule in rules):
            raise BitDustError("bad-rule", f"a rule is one line, and all of them have at most {MAX_RULES} bytes")
        folder = self._folder(secret)
        writing = folder.store.run(folder.store.write_housekeeping, LIST, text)
        return writing.addCallback(lambda _: folder.look())

    # peers, pace, wishes

    def peers(self, secret: str) -> list[PeerRow]:
        """Peers that are here now."""
        folder = self._open.get(self._config(secret).text)
        return [rows.peer_row(folder, peer) for peer in folder.peers.values() if peer.admitted] if folder else []

    def limits(self, secret: str) -> tuple[int, int]:
        """Of one folder: what may come and go, in thousands of bytes a second; 0 is no limit."""
        config = self._config(secret)
        return config.download_limit, config.upload_limit

    def set_limits(self, secret: str, download: int, upload: int) -> None:
        """Other limits of one folder, beside those of the node."""
        self.book.change(self._config(secret), download_limit=download, upload_limit=upload)

    # suppliers

    def suppliers(self, secret: str) -> "Deferred[SuppliersRow]":
        """How far my suppliers have a folder."""
        return Deferred.fromCoroutine(self.copies.row(self._config(secret)))

    def set_suppliers(self, secret: str, wanted: bool) -> "Deferred[SuppliersRow]":
        """Whether they keep it. Code: ``no-suppliers``."""
        config = self._config(secret)
        return self.copies.in_turn(config.text, lambda: self._set_suppliers(config, wanted))

    async def _set_suppliers(self, config: FolderConfig, wanted: bool) -> SuppliersRow:
        if wanted:
            self.copies.check()
        if wanted != config.suppliers:
            self.book.change(config, suppliers=wanted, withdrawing=not wanted)
            if config.text in self._open:
                self.copies.follow(self._open[config.text], self._place(config))
        if not wanted:
            await self.copies.withdraw(config.text)
        return await self.copies.row(config)

    def kept(self) -> "Deferred[list[KeptRow]]":
        """Folders that suppliers hold. Code: ``no-suppliers``."""
        self.copies.check()
        return Deferred.fromCoroutine(self.copies.kept())

    def bring_back(self, ident: str, directory: Path) -> "Deferred[FolderRow]":
        """Add a folder that suppliers hold. Codes of `add`, ``no-suppliers``, ``no-such-folder``."""
        finding = Deferred.fromCoroutine(self.copies.secret_of(ident))
        return finding.addCallback(lambda secret: self.add(directory, secret))

    def device_name(self) -> str:
        """How this machine is called where peers see it."""
        return device_name(self._around.settings, self._around.me)

    def speed(self) -> tuple[int, int]:
        """Bytes a second that come and go for folders now."""
        return self._pace.now()

    def preferences(self, secret: str) -> Chosen:
        """Of one folder."""
        config = self._config(secret)
        offered = [*PREFERENCES, *([] if config.secret.may_write else [OVERWRITE])]
        return {name: int(config.wants(name)) for name in offered}

    def set_preferences(self, secret: str, changes: Chosen) -> "Deferred[None]":
        """Change some of them. Code: ``bad-preference``."""
        config = self._config(secret)
        offered = self.preferences(secret)
        for name, value in changes.items():
            if name not in offered or value not in (0, 1):
                raise BitDustError("bad-preference", f"{name[:60]!r} is no preference of this folder, or not 0 or 1")
        self.book.change(config, preferences=config.preferences | dict(changes))
        return self._follow(config)

    def _follow(self, config: FolderConfig) -> "Deferred[None]":
        folder = self._open.get(config.text)
        if folder is None:
            return succeed(None)
        self.finding.look_for(folder)
        return folder.follow()

    def hosts(self, secret: str) -> list[str]:
        """Known hosts, ``host:port`` each."""
        return list(self._config(secret).hosts)

    def set_hosts(self, secret: str, hosts: Sequence[str]) -> "Deferred[None]":
        """Other known hosts. Code: ``bad-host``."""
        config = self._config(secret)
        if len(hosts) > MOST_HOSTS:
            raise BitDustError("bad-host", f"at most {MOST_HOSTS} known hosts")
        for host in hosts:
            try:
                split_host(host)
            except WireError as error:
                raise BitDustError("bad-host", str(error)) from error
        self.book.change(config, hosts=list(dict.fromkeys(hosts)))
        return self._follow(config)

    def pause(self, secret: str) -> "Deferred[None]":
        """Neither tell nor take anything until `resume`; survives a restart."""
        return self._note_paused(secret, True)

    def resume(self, secret: str) -> "Deferred[None]":
        """Go on."""
        return self._note_paused(secret, False)

    def _note_paused(self, secret: str, paused: bool) -> "Deferred[None]":
        config = self._config(secret)
        self.book.change(config, paused=paused)
        folder = self._open.get(config.text)
        if folder is not None:
            folder.machine.send("pause" if paused else "resume")
        return succeed(None)

    def rescan(self, secret: str) -> "Deferred[None]":
        """Compare the whole folder with what was seen; fires when that is done."""
        return self._folder(secret).rescan()


def _raise(folder: Folder) -> None:
    raise BitDustError("busy", folder.problem or "the folder is being opened")
