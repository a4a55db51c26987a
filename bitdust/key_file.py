"""The person's key file, as far as the node knows it: what it should name, and what it names no more.

A key file is made before anybody is hired, and suppliers change. Its hints only make a recovery faster and surer; but
one whose suppliers are all gone depends on the DHT alone. So the node remembers which suppliers a copy names, says when
they have changed, and renews the file itself where the person asked for that: once, when the family is complete, or
whenever it changes. The key in it stays as it is, with or without its passphrase.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.crypt.files import write_safely
from bitdust.crypt.keyfile import MAX_KEY_FILE, HeadHint, Hints, SupplierHint, with_hints
from bitdust.dht.room import DHTRoom
from bitdust.dht.seeds import SEEDS
from bitdust.identity.awaited import FAMILY
from bitdust.storage.storage import Storage
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.publication import FamilyPublication
from bitdust.surroundings import Connected
from bitdust.transport.gateway import Gateway
from bitdust.wire.encoding import WireError

NOTE = "keyfile"
MAX_NOTE = 16 * 1024
MOST_SEEDS = 16
ONCE, ALWAYS = "once", "always"
RENEWALS = ("", ONCE, ALWAYS)


@frozen
class Note:
    """What ``metadata/keyfile`` holds of the copy that was checked last.

    ``named`` are suppliers, in hex; ``path`` where it is, ``renew`` one of `RENEWALS`; ``outdated`` that others keep
    the person's pieces. The command line reads it too.
    """

    named: tuple[str, ...] = ()
    path: str = ""
    renew: str = ""
    outdated: bool = False


def read_note(folder: Path) -> Note | None:
    """What ``<home>/metadata`` tells of the copy; None where none was checked, or that cannot be read."""
    try:
        with (folder / NOTE).open("rb") as stream:
            told = json.loads(stream.read(MAX_NOTE))
        named = tuple(str(name) for name in told["named"])
        return Note(named, str(told["path"]), str(told["renew"]), bool(told["outdated"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class KeyFileHints:
    """I know what a key file that is written now should name, beside the key."""

    def __init__(
        self,
        around: Connected,
        gateway: Gateway,
        dht: DHTRoom,
        family: MyFamily,
        publication: FamilyPublication,
        storage: Storage,
    ) -> None:
        self._around = around
        self._gateway = gateway
        self._dht = dht
        self._family = family
        self._publication = publication
        self._storage = storage

    def hints(self) -> Hints:
        """Nodes of the hash table and suppliers that are known now, and how far catalog and family have come at
        suppliers: a recovery waits for what is named, and what only this home has would be waited for in vain."""
        family = self._family.current
        known = str(self._around.settings.get(SEEDS)).split(",")
        contacts = [str(contact) for layer in self._dht.node.status()["layers"][:1] for contact in layer["contacts"]]
        nodes = [contact.rpartition("@")[2] for contact in contacts]
        suppliers = [
            SupplierHint(who, tuple(self._gateway.known_addresses(who)[:4]))
            for who in (family.holders if family else ())
        ]
        heads = [
            HeadHint(head.device, head.sequence, head.hash, head.scope) for head in self._storage.heads(only_safe=True)
        ]
        seeds = [text.strip() for text in known if ":" in text]
        named = tuple(dict.fromkeys([*seeds, *nodes]))[:MOST_SEEDS]
        revision = self._publication.safe_revision
        return Hints(seeds=named, suppliers=tuple(suppliers), heads=tuple(heads), family=revision)


class KeyFileCare:
    """I follow the family, and see to the copy of the key file that was checked last."""

    log = Logger()

    def __init__(self, around: Connected, family: MyFamily, hints: KeyFileHints) -> None:
        self._around = around
        self._me = around.me
        self._events = around.events
        self._folder = around.world.home / "metadata"
        self._family = family
        self._hints = hints
        self._busy = False
        family.changed.connect(self.check)

    def note(self, named: Collection[bytes], path: str, renew: str) -> None:
        """A copy was checked: it names these suppliers, and is renewed as the person wants. Looking at a copy ends no
        renewal that was asked for before, of that file or of another one."""
        before = read_note(self._folder)
        if before is not None and before.renew and not renew:
            if before.path != path:
                return
            renew = before.renew
        self._write(Note(tuple(who.hex() for who in named), path, renew))
        self.check()

    @property
    def unnamed(self) -> int:
        """How many suppliers hold pieces and are not named by the copy that was checked last; 0 where none was."""
        note = read_note(self._folder)
        return len(self._missing(note)) if note is not None else 0

    def _missing(self, note: Note) -> list[str]:
        return [who.hex() for who in self._family.holders if who.hex() not in note.named]

    def _write(self, note: Note) -> None:
        write_safely(self._folder / NOTE, json.dumps(asdict(note)).encode() + b"\n")

    def check(self) -> None:
        """The family is another one, or the copy: renew it, or say that it is outdated."""
        note, family = read_note(self._folder), self._family.current
        if note is None or family is None or not family.complete or self._me.awaits(FAMILY) or self._busy:
            return
        if not self._missing(note):
            if note.outdated:
                self._write(evolve(note, outdated=False))
        elif note.renew and note.path:
            self._busy = True
            renewing = Deferred.fromCoroutine(self._renew(note))
            renewing.addErrback(lambda failure: self.log.failure("the key file was not renewed", failure))
        else:
            self._say_outdated(note, "")

    async def _renew(self, note: Note) -> None:
        hints = evolve(self._hints.hints(), revision=self._me.document.revision)
        try:
            await self._around.world.run_in_thread(self._rewrite, Path(note.path), hints)
        except (OSError, WireError) as error:
            self._say_outdated(note, str(error))
            return
        finally:
            self._busy = False
        named = tuple(hint.fingerprint.hex() for hint in hints.suppliers)
        self._write(Note(named, note.path, "" if note.renew == ONCE else note.renew))
        self._events.send("key-file-renewed", {"path": note.path, "suppliers": len(named)})

    def _rewrite(self, path: Path, hints: Hints) -> None:
        """In a thread. Raises `WireError` for what is no key file of this identity, `OSError`."""
        with path.open("rb") as stream:
            text = stream.read(MAX_KEY_FILE + 1).decode(errors="replace")
        if not any(str(source) in text for source in self._me.document.sources):
            raise WireError("not-a-key-file", f"{path} is no key file of this identity any more")
        write_safely(path, with_hints(text, hints).encode())

    def _say_outdated(self, note: Note, why: str) -> None:
        if not note.outdated:
            self._write(evolve(note, outdated=True))
            data: dict[str, Any] = {"path": note.path, "suppliers": len(self._missing(note)), "reason": why}
            self._events.send("key-file-outdated", data)
