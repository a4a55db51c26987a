"""What changes a catalog: mine, or one of another owner in which I may write."""

import os
from collections.abc import Callable
from typing import Any

from bitdust.replication import members
from bitdust.storage.catalog.database import CatalogError
from bitdust.storage.catalog.new_items import Maker
from bitdust.storage.catalog.paths import Item, Target, by_id, key_alias
from bitdust.storage.catalog.rows import Row
from bitdust.storage.catalog.view import CatalogView
from bitdust.storage.catalogs import Catalogs
from bitdust.storage.core import Core
from bitdust.storage.jobs import Job
from bitdust.storage.ports import Holders
from bitdust.storage.shared.catalog import SharedCatalog
from bitdust.storage.upload.options import USUAL, UploadOptions
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import RemotePath, shown

MADE = ("path_id", "key_id", "path", "remote_path", "global_id", "customer", "created", "type")
DELETED = ("path_id", "path", "remote_path", "global_id", "customer")


class Edits:
    """I find whose catalog it is. ``core`` gives my own, or raises while it is closed; ``ports`` are my suppliers."""

    def __init__(self, catalogs: Catalogs, core: Callable[[], Core], ports: Holders) -> None:
        self._catalogs = catalogs
        self._core = core
        self._ports = ports

    def place(self, remote_path: str) -> tuple[CatalogView, SharedCatalog | None]:
        """The catalog that a path is in, and the share that it belongs to where it is another owner's.

        Raises ``not-allowed`` for one that is only read here.
        """
        view = self._catalogs.at(remote_path)
        shared = self._catalogs.shared_in(view)
        if shared is not None:
            shared.writing.check()
        return view, shared

    async def create(self, remote_path: str, as_folder: bool, exist_ok: bool, force_path_id: str | None) -> Row:
        """See `Storage.create`."""
        view, shared = self.place(remote_path)
        remote = RemotePath.parse(remote_path)
        alias = key_alias(remote, view.names())
        if not remote.path:
            raise BitDustError("bad-name", "the path is empty; name a file or a folder")
        make, kind = shared.writing.make if shared is not None else self._make, "folder" if as_folder else "file"
        path = await make(alias, remote.path, kind, exist_ok, force_path_id)
        item = by_id(view.read, path)
        if item is None:
            raise CatalogError("not-found", f"{remote_path!r} was deleted meanwhile")
        row = view.row(item)
        return {name: row[name] for name in MADE}

    async def _make(self, alias: str, path: str, kind: str, exist_ok: bool, forced: str | None) -> str:
        core = self._core()
        core.storage_key(alias)
        maker = Maker(alias, core.me.device_number, int(core.world.wall() * 1000), forced)
        await core.log_writer.write(lambda database: maker.make(database, path, kind, exist_ok))
        return maker.path

    async def remove(self, target: Target, wait_result: bool) -> Row:
        """See `Storage.delete`."""
        if target.item is None:
            raise BitDustError("bad-name", "this names the whole catalog; name a file or a folder in it")
        shared = self._catalogs.shared_of(target)
        core: Any = self._core() if shared is None else shared
        row = core.view.row(target.item)
        uploads = core.uploads if shared is None else shared.writing.uploads
        if target.version is None:
            uploads.stop(target.item.path)
        delete = core.deletions.delete if shared is None else shared.writing.delete
        machine, answered = delete(target.item, target)
        is_known = await answered
        if wait_result and not is_known:
            is_known = await machine.when("CLEANING", *machine.final) in ("CLEANING", "DONE")
        shown_row = {name: row[name] for name in DELETED}
        return {**shown_row, "pending": not is_known, "automat": {"index": machine.index, "id": machine.id}}

    # uploads

    async def upload(self, local_path: str, remote_path: str, options: UploadOptions = USUAL) -> Job:
        """See `Storage.upload`."""
        view, shared = self.place(remote_path)
        try:
            item, version = view.item(remote_path)
        except CatalogError as error:
            if error.code == "not-found":
                raise CatalogError("not-found", f"{error}; make a place for it first, with file_create") from error
            raise
        if version is not None:
            raise BitDustError("bad-name", "a version cannot be uploaded to; name the file or folder alone")
        return await self.begin_upload(item, os.fsencode(local_path), options, shared)

    async def begin_upload(
        self, item: Item, source: bytes, options: UploadOptions = USUAL, shared: SharedCatalog | None = None
    ) -> Job:
        """See `Storage.begin_upload`."""
        self.need_suppliers(shared)
        if not os.path.lexists(source):
            raise BitDustError("no-such-file", f"{shown(source)!r} does not exist on the machine of this node")
        uploads = self._core().uploads if shared is None else shared.writing.uploads
        return await uploads.start(item, source, options)

    def need_suppliers(self, shared: SharedCatalog | None = None) -> None:
        """See `Storage.need_suppliers`; those of a share's owner where one is given."""
        ports = self._ports if shared is None else shared.shared.holders
        family = ports.family()
        online = sum(1 for who in members(family) if ports.is_online(who))
        if family is None or online < family.k:
            least = family.k if family is not None else 1
            text = f"{online} suppliers can be reached, at least {least} are needed; see: bitdust supplier list"
            raise BitDustError("too-few-suppliers", text)

    def stop_upload(self, remote_path: str) -> list[Row]:
        """What was stopped. Raises `BitDustError` ``not-found``."""
        view, shared = self.place(remote_path)
        item, _ = view.item(remote_path)
        stopped = (self._core().uploads if shared is None else shared.writing.uploads).stop(item.path)
        if not stopped:
            raise BitDustError("not-found", f"no upload of {remote_path!r} runs or waits")
        return stopped
