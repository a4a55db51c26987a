"""Becoming who one was, from a key file: what `id_restorer` acts on."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyfile import KeyFile, SupplierHint
from bitdust.identity.client import IdentityClient
from bitdust.identity.devices import former, with_new_device, with_revoked
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.identity.publication import Publication
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.world import World

ASK_SECONDS = 15.0
SOON, LATER = 2.0, 6.0
"""Seconds for which others are waited for after the first document: one as new as the key file knows, and an older one.
Which of them is newer is found out later as well; a second document of one revision is what is to be avoided."""
NOWHERE = IDURL.parse("http://nowhere.invalid/claim.xml")
"""What a claim names where the key file names no place: every document has one."""
HAS_NONE = ("not-found",)
"""Codes of a source that has answered, and has no document."""


class Sources(Protocol):
    """Where a document may be besides ID servers."""

    def use_seeds(self, seeds: Iterable[str], /) -> None:
        """Join the DHT by the nodes that the key file names."""

    def identity_from_dht(self, fingerprint: bytes, /) -> "Deferred[bytes | None]":
        """The newest document of a fingerprint, as the DHT has it."""

    def identity_from_supplier(
        self, hint: SupplierHint, claim: IdentityDocument, device: DeviceKey, /
    ) -> "Deferred[bytes | None]":
        """My own newest document, as a supplier that the key file names has it; ``claim`` proves who asks."""

    def identity_at_large(self, claim: IdentityDocument, device: DeviceKey, /) -> "Deferred[bytes | None]":
        """The same of suppliers that nobody names."""


class Round:
    """All sources asked once, side by side; ``done`` fires with the newest document when no other is waited for.

    It fails with what came of each source when all have ended. A cancel ends it.
    """

    def __init__(self, world: World, fingerprint: bytes, known_revision: int) -> None:
        self._world = world
        self._fingerprint = fingerprint
        self._known = known_revision
        self._open: list[Deferred[Any]] = []
        self._best: IdentityDocument | None = None
        self._patience: IDelayedCall | None = None
        self._all_asked = False
        self.tried: list[str] = []
        self.silent: list[str] = []
        self.done: Deferred[IdentityDocument] = Deferred(lambda _: self._stop())

    def ask(self, sources: "Iterable[tuple[str, Deferred[Any]]]") -> None:
        """Each with its name."""
        for name, asked in sources:
            self._open.append(asked)
            asked.addTimeout(ASK_SECONDS, self._world.clock)
            asked.addCallback(self._answered, name).addErrback(self._failed, name)
            asked.addBoth(self._ended, asked)
        self._all_asked = True
        self._check()

    def _answered(self, found: "IdentityDocument | bytes | None", name: str) -> None:
        document = IdentityDocument.parse(found) if isinstance(found, bytes) else found
        if document is None:
            self.tried.append(f"{name} has none")
        elif document.fingerprint != self._fingerprint:
            self.tried.append(f"{name} has somebody else's")
        elif self._best is None or document.revision > self._best.revision:
            self._best = document
            self._wait_for_others(SOON if document.revision >= self._known else LATER)

    def _failed(self, failure: Failure, name: str) -> None:
        self.tried.append(f"{name}: {failure.getErrorMessage() or 'no answer'}")
        if getattr(failure.value, "code", "") not in HAS_NONE and not failure.check(WireError):
            self.silent.append(name)

    def _ended(self, _: object, asked: "Deferred[Any]") -> None:
        if asked in self._open:
            self._open.remove(asked)
        self._check()

    def _wait_for_others(self, seconds: float) -> None:
        if self._patience is not None and self._patience.active():
            if self._patience.getTime() <= self._world.clock.seconds() + seconds:
                return
            self._patience.cancel()
        self._patience = self._world.clock.callLater(seconds, self._end)

    def _check(self) -> None:
        if self._all_asked and not self._open:
            self._end()

    def _end(self) -> None:
        if self.done.called:
            return
        if self._best is not None:
            self.done.callback(self._best)
        else:
            tried = "; ".join(self.tried) or "the key file names no ID server and no supplier"
            self.done.errback(BitDustError("identity-not-found", f"no document of this key was found: {tried}"))
        self._stop()

    def _stop(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._all_asked = False
        for asked in list(self._open):
            asked.cancel()


class Recovery:
    """I find the newest document of a key file and add this device to it."""

    def __init__(
        self,
        world: World,
        me: Me,
        client: IdentityClient,
        sources: Sources,
        publication: Publication,
        key_file: KeyFile,
    ) -> None:
        self._world = world
        self._me = me
        self._client = client
        self._sources = sources
        self._publication = publication
        self._file = key_file
        self._device = DeviceKey.generate(world.entropy)
        self._document: IdentityDocument | None = None
        self._round: Round | None = None
        self.revokes_others = False
        """Whether the document with this device takes their word from all others."""

    def find_document(self) -> "Deferred[IdentityDocument]":
        asking = Round(self._world, self._file.master.fingerprint, self._file.hints.revision)
        self._round = asking
        asking.ask(self._everybody())
        return asking.done

    def _everybody(self) -> "Iterator[tuple[str, Deferred[Any]]]":
        for idurl in self._file.idurls:
            yield str(idurl), self._client.fetch(idurl)
        yield "the DHT", self._sources.identity_from_dht(self._file.master.fingerprint)
        claim = self._claim()
        for hint in self._file.hints.suppliers:
            asked = self._sources.identity_from_supplier(hint, claim, self._device)
            yield f"supplier {hint.fingerprint.hex()[:8]}", asked
        yield "other suppliers", self._sources.identity_at_large(claim, self._device)

    def is_hopeless(self, error: BaseException) -> bool:
        return self._round is None or not self._round.silent

    def report_waiting(self) -> None:
        silent = ", ".join(self._round.silent) if self._round is not None else ""
        self._me.search(f"your identity is searched for; no answer yet from {silent or 'anybody'}")

    def _claim(self) -> IdentityDocument:
        """A document of revision 0, which only shows that the RSA key is in these hands."""
        device, sources = Device(0, 0, self._device.public), self._file.idurls or (NOWHERE,)
        return IdentityDocument.create(self._file.master, sources, 0, (device,), self._world.wall())

    def add_device(self, document: IdentityDocument) -> "Deferred[IdentityDocument]":
        revision = document.revision + 1
        if self.revokes_others:
            document = with_revoked(document, [one.id for one in (*document.devices, *document.former)])
        devices = with_new_device(document, self._device.public, revision)
        self._document = IdentityDocument.create(
            self._file.master,
            document.sources,
            revision,
            devices,
            self._world.wall(),
            former(devices, revision, document),
        )
        return succeed(self._document)

    def save(self) -> None:
        assert self._document is not None
        self._me.adopt(self._document, self._file.master, self._device, fresh=False)

    def publish(self) -> "Deferred[Any]":
        return self._publication.publish()
