"""Identity documents of others: the newest one of each fingerprint, never replaced by anything older.

Anybody shows documents, as many as he likes, so it depends on who it is for how long one is known. Those of people with
whom this node has dealings, or whom its person named, are kept on disk; those of customers stay as long as their
contracts, which keep them; all other people's are in memory, a bounded number of those that came last. So a revocation
or a recovery of anybody who counts here is known however many strangers came.

Anybody may write any name into a document of his own and show it. So a name leads to a key only when its document was
fetched from the place that the name says; ``names`` in the folder keeps which those are.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import islice

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from bitdust.crypt.files import make_private_folder, remove_leftovers, remove_safely, write_safely
from bitdust.events import Events
from bitdust.identity.document import IdentityDocument, compare
from bitdust.signal import Signal
from bitdust.wire.encoding import WireError
from bitdust.wire.names import IDURL, BadName
from bitdust.world import World

FOLDER = "identitycache"
NAMES = "names"
MAX_KEPT = 10_000
KEPT_BYTES = 64 * 1024 * 1024
MAX_STRANGERS = 500
STRANGERS_BYTES = 8 * 1024 * 1024
MOST_LOOKED_AT = 100
"""Of those who are kept, so many of the oldest are looked at for one who may go."""


class _Shelf:
    """Documents by fingerprint, those that were wanted last at the end, and how many bytes they have."""

    def __init__(self) -> None:
        self.documents: OrderedDict[bytes, IdentityDocument] = OrderedDict()
        self.bytes = 0

    def put(self, document: IdentityDocument) -> None:
        """In the place of what there is of its owner."""
        self.take(document.fingerprint)
        self.documents[document.fingerprint] = document
        self.bytes += len(document.xml)

    def take(self, fingerprint: bytes) -> IdentityDocument | None:
        """Off the shelf."""
        document = self.documents.pop(fingerprint, None)
        self.bytes -= len(document.xml) if document is not None else 0
        return document

    def is_over(self, most: int, most_bytes: int) -> bool:
        """Whether somebody has to go."""
        return len(self.documents) > most or self.bytes > most_bytes


class IdentityCache:
    """Knows a document by fingerprint and by proven names."""

    log = Logger()

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._folder = world.home / FOLDER
        self._events = events
        self._kept = _Shelf()
        self._held: dict[bytes, IdentityDocument] = {}
        self._strangers = _Shelf()
        self._names: dict[IDURL, bytes] = {}
        self._has_dealings: Callable[[bytes], bool] = lambda _: False
        self._waiting: dict[str, bytes | None] = {}
        self._is_writing = False
        self.changed: Signal[[IdentityDocument]] = Signal()
        """A document that is new here, or newer than what was known."""

    def follow(self, has_dealings: Callable[[bytes], bool]) -> None:
        """Ask this from now on who is no stranger."""
        self._has_dealings = has_dealings

    def load(self) -> None:
        """Read what earlier runs kept; a file that is not whole is reported and left alone."""
        make_private_folder(self._folder)
        remove_leftovers(self._folder)
        for path in sorted(self._folder.glob("*.xml"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
            try:
                document = IdentityDocument.parse(path.read_bytes())
            except (WireError, OSError) as error:
                self.log.warn("{path} is no identity document: {error}", path=path.name, error=error)
                continue
            if path.stem == document.fingerprint.hex():
                self._kept.put(document)
        self._load_names()

    def _load_names(self) -> None:
        path = self._folder / NAMES
        try:
            lines = path.read_text().splitlines() if path.exists() else []
            pairs = [line.split(" ") for line in lines[:MAX_KEPT]]
            self._names = {IDURL.parse(url): bytes.fromhex(fingerprint) for url, fingerprint in pairs}
        except (BadName, OSError, ValueError) as error:
            self.log.warn("{path} is damaged, names are fetched again: {error}", path=path.name, error=error)

    # what comes

    def accept(self, document: IdentityDocument, fetched_from: IDURL | None = None) -> str:
        """``new`` or ``newer``, which change what is known; ``refresh``, ``stale``, ``conflict`` or ``leap``.

        Of two of one revision the one that goes before the other is taken, and counts as newer where it came later.

        ``fetched_from`` is the source that gave the document; from then on that name means this key.
        """
        word = self._accept(document)
        if fetched_from is not None and fetched_from in document.sources:
            self._prove(fetched_from, document.fingerprint)
        return word

    def keep(self, document: IdentityDocument) -> None:
        """Know it, and what replaces it, after restarts too: this node has dealings with its owner."""
        self._accept(document)
        self._keep(document.fingerprint)

    def hold(self, document: IdentityDocument) -> None:
        """Know it, and what replaces it, until `let_go`, however many others come; whoever asks this keeps it on disk
        himself."""
        known = self.get(document.fingerprint)
        self._strangers.take(document.fingerprint)
        self._held[document.fingerprint] = known or document
        if known is None:
            self.changed.emit(document)
        else:
            self._accept(document)

    def let_go(self, fingerprint: bytes) -> None:
        """Its owner is somebody like others now."""
        document = self._held.pop(fingerprint, None)
        if document is not None:
            self._put(document)

    def _accept(self, document: IdentityDocument) -> str:
        if document.is_claim:
            return "stale"
        known = self.get(document.fingerprint)
        word = compare(document, known) if known else "new"
        if word == "conflict":
            self._events.send("identity-conflict", {"idurl": str(document.idurl), "revision": document.revision})
            word = "newer" if known and document.goes_before(known) else word
        if word not in ("new", "newer"):
            return word
        self._put(document)
        if known and known.sources != document.sources:
            self._report_move(known, document)
        self.changed.emit(document)
        return word

    def _report_move(self, old: IdentityDocument, new: IdentityDocument) -> None:
        revisions = {"old_revision": old.revision, "new_revision": new.revision, "fingerprint": new.fingerprint.hex()}
        sources = {"old_idurls": [str(url) for url in old.sources], "new_idurls": [str(url) for url in new.sources]}
        self._events.send("identity-rotated", sources | revisions)
        if old.idurl != new.idurl:
            names = {"old_idurl": str(old.idurl), "new_idurl": str(new.idurl)}
            self._events.send("identity-url-changed", names | revisions)

    def _put(self, document: IdentityDocument) -> None:
        fingerprint = document.fingerprint
        if fingerprint in self._held:
            self._held[fingerprint] = document
        if fingerprint in self._kept.documents:
            self._kept.put(document)
            self._write(f"{fingerprint.hex()}.xml", document.xml)
        elif fingerprint not in self._held:
            self._strangers.put(document)
            if self._has_dealings(fingerprint):
                self._keep(fingerprint)
            self._forget_strangers()

    def _forget_strangers(self) -> None:
        while self._strangers.is_over(MAX_STRANGERS, STRANGERS_BYTES):
            oldest = next(iter(self._strangers.documents))
            if self._has_dealings(oldest):
                self._keep(oldest)
            else:
                self._strangers.take(oldest)

    def _keep(self, fingerprint: bytes) -> None:
        document = self.get(fingerprint)
        if document is None or fingerprint in self._kept.documents:
            return
        self._strangers.take(fingerprint)
        self._kept.put(document)
        self._write(f"{fingerprint.hex()}.xml", document.xml)
        while self._kept.is_over(MAX_KEPT, KEPT_BYTES):
            gone = self._who_may_go(fingerprint)
            if gone is None:
                break
            self._kept.take(gone)
            self._write(f"{gone.hex()}.xml", None)

    def _who_may_go(self, newcomer: bytes) -> bytes | None:
        """Of the oldest that are kept, one with whom this node has no dealings any more, and whom nobody named."""
        named = set(self._names.values())
        oldest = list(islice(self._kept.documents, MOST_LOOKED_AT))
        for fingerprint in oldest:
            if fingerprint != newcomer and fingerprint not in named and not self._has_dealings(fingerprint):
                return fingerprint
            self._kept.documents.move_to_end(fingerprint)
        return None

    def _prove(self, name: IDURL, fingerprint: bytes) -> None:
        self._keep(fingerprint)
        if self._names.get(name) != fingerprint:
            self._names.pop(name, None)
            self._names[name] = fingerprint
            if len(self._names) > MAX_KEPT:
                del self._names[next(iter(self._names))]
            self._write(NAMES, "".join(f"{url} {owner.hex()}\n" for url, owner in self._names.items()).encode())

    # the disk

    def _write(self, name: str, data: bytes | None) -> None:
        """Write it, or remove it, in a thread, together with what else comes until that is free."""
        self._waiting[name] = data
        if not self._is_writing:
            self._write_waiting()

    def _write_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        self._is_writing = True
        writing = maybeDeferred(self._world.run_in_thread, self._write_all, waiting)
        writing.addErrback(lambda failure: self.log.failure("identity documents are not written", failure))
        writing.addBoth(lambda _: self._written())

    def _write_all(self, waiting: Mapping[str, bytes | None]) -> None:
        """A full disk must not keep anybody out: what it does not take is known until the next start all the same."""
        for name, data in waiting.items():
            try:
                make_private_folder(self._folder)
                if data is None:
                    remove_safely(self._folder / name)
                else:
                    write_safely(self._folder / name, data)
            except OSError as error:
                self.log.warn("{path} cannot be written: {error}", path=self._folder / name, error=error)

    def _written(self) -> None:
        self._is_writing = False
        if self._waiting:
            self._write_waiting()

    # what is known

    def get(self, fingerprint: bytes) -> IdentityDocument | None:
        """The newest known document of a user."""
        document = self._held.get(fingerprint) or self._kept.documents.get(fingerprint)
        if document is None and fingerprint in self._strangers.documents:
            self._strangers.documents.move_to_end(fingerprint)
            document = self._strangers.documents[fingerprint]
        return document

    def by_idurl(self, idurl: IDURL) -> IdentityDocument | None:
        """The document of the key that this name was proven to mean, while it still names that place as its source."""
        document = self.get(self._names.get(idurl, b""))
        return document if document is not None and idurl in document.sources else None

    def is_proven(self, fingerprint: bytes) -> bool:
        """Whether somebody is who the first name in his document says: that was fetched from where the name leads."""
        document = self.get(fingerprint)
        return document is not None and self._names.get(document.idurl) == fingerprint

    def all(self) -> list[IdentityDocument]:
        """Every known document, by name."""
        known = {**self._strangers.documents, **self._kept.documents, **self._held}
        return sorted(known.values(), key=lambda document: (document.name, document.global_id))
