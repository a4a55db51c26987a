"""Identity documents of others: the newest one of each fingerprint, on disk, never replaced by anything older.

Anybody may write any name into a document of his own and show it. So a name leads to a key only when its document was
fetched from the place that the name says; ``names`` in the folder keeps which those are.
"""

from twisted.logger import Logger

from bitdust.crypt.files import make_private_folder, remove_leftovers, write_safely
from bitdust.events import Events
from bitdust.identity.document import IdentityDocument, compare
from bitdust.signal import Signal
from bitdust.wire.encoding import WireError
from bitdust.wire.names import IDURL, BadName
from bitdust.world import World

FOLDER = "identitycache"
NAMES = "names"
MAX_CACHED = 10_000


class IdentityCache:
    """Knows a document by fingerprint and by proven names."""

    log = Logger()

    def __init__(self, world: World, events: Events) -> None:
        self._folder = world.home / FOLDER
        self._events = events
        self._documents: dict[bytes, IdentityDocument] = {}
        self._names: dict[IDURL, bytes] = {}
        self._promised: set[bytes] = set()
        self.changed: Signal[[IdentityDocument]] = Signal()
        """A document that is new here, or newer than what was known."""

    def load(self) -> None:
        """Read what earlier runs kept; a file that is not whole is reported and left alone."""
        make_private_folder(self._folder)
        remove_leftovers(self._folder)
        for path in sorted(self._folder.glob("*.xml")):
            try:
                document = IdentityDocument.parse(path.read_bytes())
            except (WireError, OSError) as error:
                self.log.warn("{path} is no identity document: {error}", path=path.name, error=error)
                continue
            if path.stem == document.fingerprint.hex():
                self._documents[document.fingerprint] = document
        self._load_names()

    def _load_names(self) -> None:
        path = self._folder / NAMES
        try:
            lines = path.read_text().splitlines() if path.exists() else []
            pairs = [line.split(" ") for line in lines[:MAX_CACHED]]
            self._names = {IDURL.parse(url): bytes.fromhex(fingerprint) for url, fingerprint in pairs}
        except (BadName, OSError, ValueError) as error:
            self.log.warn("{path} is damaged, names are fetched again: {error}", path=path.name, error=error)

    def accept(self, document: IdentityDocument, fetched_from: IDURL | None = None) -> str:
        """``new``, ``newer``, ``refresh``, ``stale`` or ``conflict``; only the first two change what is kept.

        Of two of one revision the one that goes before the other is kept, and counts as newer where it came later.

        ``fetched_from`` is the source that gave the document; from then on that name means this key.
        """
        word = self._accept(document)
        if fetched_from is not None and fetched_from in document.sources and document.fingerprint in self._documents:
            self._prove(fetched_from, document.fingerprint)
        return word

    def keep(self, document: IdentityDocument) -> None:
        """Know it, and what replaces it, however many others are known: this node has promised to."""
        self._promised.add(document.fingerprint)
        self._accept(document)

    def _prove(self, name: IDURL, fingerprint: bytes) -> None:
        if self._names.get(name) != fingerprint:
            self._names.pop(name, None)
            self._names[name] = fingerprint
            lines = (f"{url} {owner.hex()}\n" for url, owner in list(self._names.items())[-MAX_CACHED:])
            self._write(NAMES, "".join(lines).encode())

    def _accept(self, document: IdentityDocument) -> str:
        if document.is_claim:
            return "stale"
        known = self._documents.get(document.fingerprint)
        word = compare(document, known) if known else "new"
        if word == "conflict":
            self._events.send("identity-conflict", {"idurl": str(document.idurl), "revision": document.revision})
            word = "newer" if known and document.goes_before(known) else word
        is_full = len(self._documents) >= MAX_CACHED and document.fingerprint not in self._promised
        if word not in ("new", "newer") or (word == "new" and is_full):
            return word
        self._write(f"{document.fingerprint.hex()}.xml", document.xml)
        self._documents[document.fingerprint] = document
        if known and known.idurl != document.idurl:
            urls = {"old_idurl": str(known.idurl), "new_idurl": str(document.idurl)}
            self._events.send("identity-url-changed", urls | {"new_revision": document.revision})
        self.changed.emit(document)
        return word

    def _write(self, name: str, data: bytes) -> None:
        """A full disk must not keep anybody out: what it does not take is known until the next start all the same."""
        try:
            make_private_folder(self._folder)
            write_safely(self._folder / name, data)
        except OSError as error:
            self.log.warn("{path} cannot be written: {error}", path=self._folder / name, error=error)

    def get(self, fingerprint: bytes) -> IdentityDocument | None:
        """The newest known document of a user."""
        return self._documents.get(fingerprint)

    def by_idurl(self, idurl: IDURL) -> IdentityDocument | None:
        """The document of the key that this name was proven to mean, while it still names that place as its source."""
        document = self._documents.get(self._names.get(idurl, b""))
        return document if document is not None and idurl in document.sources else None

    def all(self) -> list[IdentityDocument]:
        """Every known document, by name."""
        return sorted(self._documents.values(), key=lambda document: (document.name, document.global_id))
