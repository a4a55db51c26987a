"""Writing messages to a file: one JSON object a line, some messages at a time, so that a million of them need no more
memory than a hundred."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred

from bitdust.crypt.files import TEMPORARY
from bitdust.disk.disk import Disk, own_disk_error
from bitdust.people.history.history import History
from bitdust.people.history.values import Filter, Page, Stored
from bitdust.wire.errors import BitDustError
from bitdust.world import World

AT_ONCE = 200


@define
class Export:
    """I write what a filter finds, each message as ``shown`` says."""

    world: World
    history: History
    shown: Callable[[Stored], dict[str, Any]]

    def write(self, path: Path, wanted: Filter) -> "Deferred[dict[str, Any]]":
        """Fires with {local_path, messages, bytes} when all of it is on the disk, under that name.

        Fails with `BitDustError` ``bad-path``, ``exists``, ``disk-full``, ``disk-error``.
        """
        return Deferred.fromCoroutine(self._write(path, wanted))

    async def _write(self, path: Path, wanted: Filter) -> dict[str, Any]:
        run, disk = self.world.run_in_thread, self.history.file.disk
        temporary = path.with_name(f"{TEMPORARY}{path.name}")
        descriptor: int = await run(_begin, disk, path, temporary)
        count = size = 0
        after = -(2**62)
        try:
            while True:
                found = await self.history.page(wanted, Page(AT_ONCE, after=after))
                if not found:
                    break
                lines = [json.dumps(self.shown(stored), ensure_ascii=False) + "\n" for stored in found]
                data = "".join(lines).encode("utf-8", "surrogatepass")
                await run(_write, disk, descriptor, temporary, data)
                count, size, after = count + len(found), size + len(data), found[-1].number
            await run(_end, disk, descriptor, temporary, path)
        except BaseException:
            await run(_give_up, disk, descriptor, temporary)
            raise
        return {"local_path": str(path), "messages": count, "bytes": size}


def _begin(disk: Disk, path: Path, temporary: Path) -> int:
    if not path.parent.is_dir():
        raise BitDustError("bad-path", f"there is no folder {path.parent}; make it first")
    if path.exists() or path.is_symlink():
        raise BitDustError("exists", f"{path} exists already; take another name")
    try:
        return disk.create(temporary)
    except OSError as error:
        raise own_disk_error(error, temporary) from error


def _write(disk: Disk, descriptor: int, path: Path, data: bytes) -> None:
    try:
        disk.write(descriptor, [data])
    except OSError as error:
        raise own_disk_error(error, path) from error


def _end(disk: Disk, descriptor: int, temporary: Path, path: Path) -> None:
    try:
        disk.sync(descriptor)
        if path.exists():
            raise BitDustError("exists", f"{path} came up meanwhile; take another name")
        disk.rename(temporary, path)
        disk.sync_folder(path.parent)
    except OSError as error:
        raise own_disk_error(error, path) from error
    disk.close(descriptor)


def _give_up(disk: Disk, descriptor: int, temporary: Path) -> None:
    disk.close(descriptor)
    disk.remove(temporary)
