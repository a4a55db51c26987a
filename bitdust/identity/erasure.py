"""Taking leave of an identity: what is its own goes out of the node's way, and none of it gets lost by a crash.

A note is written first; whoever starts the node next finishes what the note says. Without the private key's erasure
everything moves to ``<home>/former/<fingerprint>-<n>``; with it, all of it is removed. Pieces of others are not ours to
take: they stay where they are.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from bitdust.crypt.files import make_private_folder, remove_safely, sync_folder, write_safely

NOTE = "erasing"
FORMER = "former"
KEY_FILE = "keyfile"
PRIVATE = ("metadata/mykeyfile",)
OWN = (
    "metadata/devicekey",
    "metadata/devicekey.next",
    "metadata/certificate",
    "metadata/keyring",
    "metadata/username",
    "metadata/backup",
    "metadata/reminded",
    "metadata/keyfile",
    "metadata/recovering",
    "metadata/searched",
    "metadata/family",
    "metadata/family.inherited",
    "metadata/family.before",
    "metadata/family.others",
    "metadata/family.roots",
    "metadata/former-family",
    "metadata/grants",
    "metadata/contracts",
    "metadata/departures",
    "metadata/absences",
    "metadata/friends",
    "metadata/ipfs-keys",
    "devices",
    "messages",
    "correspondence",
    "groups",
    "catalogs",
    "mailboxes.db",
    "mailboxes.db-wal",
    "mailboxes.db-shm",
    "catalog.db",
    "catalog.db-wal",
    "catalog.db-shm",
    "dht.db",
    "dht.db-wal",
    "dht.db-shm",
)
"""Of the home; the identity document itself goes last."""
DOCUMENT = "metadata/localidentity"


@frozen
class Erased:
    """What became of it: paths that are gone, the folder where the rest is now (None when nothing was kept)."""

    removed: tuple[str, ...]
    former: str | None


class Erasure:
    """The files of one home; ``spool`` is the folder of pieces that wait for suppliers."""

    def __init__(self, home: Path, spool: Path) -> None:
        self._home = home
        self._spool = spool
        self._note = home / "metadata" / NOTE

    def run(self, fingerprint: bytes, key_file: str | None) -> Erased:
        """Erase all that belongs to the identity; with ``key_file`` (its text) it is kept, else it is gone for good."""
        former = None if key_file is None else self._fresh_folder(fingerprint)
        if former is not None and key_file is not None:
            make_private_folder(former)
            write_safely(former / KEY_FILE, key_file.encode())
        write_safely(self._note, json.dumps({"former": former and former.name}).encode())
        return self._carry_out(former)

    def finish(self) -> Erased | None:
        """Finish what a crash cut off; None when there is nothing to do."""
        if not self._note.exists():
            return None
        name: Any = json.loads(self._note.read_text())["former"]
        return self._carry_out(None if name is None else self._home / FORMER / Path(name).name)

    def _fresh_folder(self, fingerprint: bytes) -> Path:
        number = 1
        while (folder := self._home / FORMER / f"{fingerprint.hex()[:16]}-{number}").exists():
            number += 1
        return folder

    def _carry_out(self, former: Path | None) -> Erased:
        removed = []
        for name in (*OWN, *PRIVATE, DOCUMENT):
            path = self._home / name
            if path.exists():
                removed.append(str(path))
                self._part_with(path, former)
        if self._spool.exists():
            removed.append(str(self._spool))
            self._part_with_spool(former)
        remove_safely(self._note)
        return Erased(tuple(removed), None if former is None else str(former))

    def _part_with(self, path: Path, former: Path | None) -> None:
        if former is None and path.is_dir():
            shutil.rmtree(path)
            sync_folder(path.parent)
            return
        if former is None:
            remove_safely(path)
            return
        path.rename(former / path.name)
        sync_folder(former)
        sync_folder(path.parent)

    def _part_with_spool(self, former: Path | None) -> None:
        if former is None or self._spool.parent == self._home:
            self._part_with(self._spool, former)
        else:  # Another disk, perhaps: it stays there, under a name that the next identity does not take.
            self._spool.rename(self._spool.with_name(f"{self._spool.name}-{former.name}"))
            sync_folder(self._spool.parent)


def tale(erased: Erased, sources: list[str], suppliers: list[str]) -> dict[str, Any]:
    """What an erased identity leaves where, for the person who asked for it."""
    elsewhere = [f"the public identity document stays at {url}" for url in sources]
    elsewhere += [f"{name} keeps your encrypted pieces until the contract ends" for name in suppliers]
    elsewhere.append("records about you in the DHT expire within a month")
    return asdict(erased) | {"removed": list(erased.removed), "elsewhere": elsewhere}
