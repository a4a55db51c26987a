"""Figures of space: what I give, what I use at others, what is on this disk. All numbers are bytes and add up.

Sizes are apparent: the bytes in a file, not the blocks that it takes; folders and links count nothing.

* `donated`: ``donated = consumed + free`` (``free`` may be negative after the setting was lowered); ``consumed`` is
  what is promised to customers. ``used`` is the pieces that they have brought, to the byte what is in the folder
  ``customers`` but for pieces that the disk has lost (each customer's ``missing`` in `customers_list`), because their
  owners may bring them again. ``real`` adds the catalog logs, which are in ``customers.db``; pack records, key rings
  and families, which a supplier keeps for the sake of all, and what SQLite needs beside its rows count for nobody.
* `consumed`: ``needed = used + available`` of my own data, sealed, before it is coded. Per supplier: the sum of its
  pieces, to the byte what a supplier that has got everything counts as my ``used``.
* `local`: ``total = backups + temp + customers + databases``, a walk over this disk. ``backups`` are pieces that wait
  for suppliers (small ones wait in ``catalog.db``), ``databases`` the SQLite files with their logs. Settings, keys,
  identities and the node's log are not in it.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.customers.contracts import Account, ContractState
from bitdust.customers.store import SupplierStore
from bitdust.surroundings import Surroundings
from bitdust.wire.records import Scheme
from bitdust.wire.sizes import in_words


def percent(part: float, whole: float) -> str:
    """``12.5%``; 0% of nothing."""
    return f"{100.0 * part / whole if whole else 0.0:.1f}%"


def with_words(figures: dict[str, Any]) -> dict[str, Any]:
    """Beside each number of bytes its ``…_str``."""
    words = {f"{key}_str": in_words(value) for key, value in figures.items() if isinstance(value, int)}
    return {**figures, **words}


@frozen
class MeasuredFolders:
    """Folders that are measured."""

    backups: Path
    temp: Path
    customers: Path
    databases: tuple[Path, ...] = ()


class Space:
    """I count. ``used`` is my sealed data, counted once, and the pieces of it at each supplier, in bytes."""

    def __init__(
        self,
        around: Surroundings,
        folders: MeasuredFolders,
        store: SupplierStore,
        used: Callable[[], tuple[int, int]],
        family_size: Callable[[], int | None],
    ) -> None:
        self._settings = around.settings
        self._run_in_thread = around.world.run_in_thread
        self._folders = folders
        self._store = store
        self._used = used
        self._family_size = family_size

    def donated(self) -> dict[str, Any]:
        """`space_donated`: room given to customers and what they have in it."""
        accounts = self._store.customers() if self._store.is_open else []
        active = [one for one in accounts if one.state == ContractState.ACTIVE]
        old = [one for one in accounts if one.state != ContractState.ACTIVE]
        donated = self._store.donated()
        consumed = sum(one.allotted for one in accounts)
        used = sum(one.used for one in accounts)
        figures = {
            "donated": donated,
            "consumed": consumed,
            "free": donated - consumed,
            "used": used,
            "real": used + sum(one.log_bytes for one in accounts),
            "old_customers_used": sum(one.used for one in old),
            "old_customers_real": sum(one.used + one.log_bytes for one in old),
        }
        return with_words(figures) | {
            "customers_num": len(active),
            "customers": [self._customer(one) for one in active],
            "old_customers": [self._customer(one) for one in old],
            "errors": ["more is promised than donated"] if consumed > donated else [],
            "used_percent": percent(used, donated),
            "consumed_percent": percent(consumed, donated),
        }

    def _customer(self, account: Account) -> dict[str, Any]:
        real = account.used + account.log_bytes
        figures = {"consumed": account.allotted, "used": account.used, "real": real}
        names = {"idurl": account.idurl, "global_id": account.global_id}
        return names | with_words(figures) | {"used_percent": percent(account.used, account.allotted)}

    def consumed(self) -> dict[str, Any]:
        """`space_consumed`: room for my own data at my suppliers."""
        n = self._family_size() or int(self._settings.get("services/customer/suppliers-number"))
        k = Scheme.for_family(n).k
        needed, (used, part) = int(self._settings.get("services/customer/needed-space")), self._used()
        room = -(-needed // k)
        figures = {
            "needed": needed,
            "used": used,
            "available": needed - used,
            "needed_per_supplier": room,
            "used_per_supplier": part,
            "available_per_supplier": room - part,
        }
        return with_words(figures) | {"suppliers_num": n, "used_percent": percent(used, needed)}

    def local(self) -> "Deferred[dict[str, Any]]":
        """`space_local`: what is on this disk; walks folders in a thread."""
        return self._run_in_thread(self._measure)

    def _measure(self) -> dict[str, Any]:
        sizes = {
            "backups": folder_size(self._folders.backups),
            "temp": folder_size(self._folders.temp),
            "customers": folder_size(self._folders.customers),
            "databases": sum(map(database_size, self._folders.databases)),
        }
        total = sum(sizes.values())
        disk = shutil.disk_usage(existing(self._folders.customers))
        figures = {**sizes, "total": total, "disktotal": disk.total, "diskfree": disk.free}
        return with_words(figures) | {
            "total_percent": percent(total, disk.total),
            "diskfree_percent": percent(disk.free, disk.total),
        }


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return path if path.exists() or path == path.parent else existing(path.parent)


def database_size(path: Path) -> int:
    """Bytes of an SQLite file and of its logs; 0 where there is none."""
    size = 0
    for end in ("", "-wal", "-shm"):
        try:
            size += path.with_name(path.name + end).stat().st_size
        except FileNotFoundError:
            continue
    return size


def folder_size(path: Path) -> int:
    """Bytes of all files below a folder; links are not followed and count nothing, like files that vanish meanwhile."""
    size, folders = 0, [str(path)]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif not entry.is_symlink():
                    size += entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
    return size
