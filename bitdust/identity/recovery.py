"""Becoming who one was, from a key file: what `id_restorer` acts on."""

from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.python.failure import Failure

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyfile import KeyFile, SupplierHint
from bitdust.identity.client import IdentityClient
from bitdust.identity.devices import with_new_device
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.identity.publication import Publication
from bitdust.wire.errors import BitDustError
from bitdust.world import World

ASK_SECONDS = 15.0


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
        self._tried: list[str] = []

    def find_document(self) -> "Deferred[IdentityDocument]":
        return Deferred.fromCoroutine(self._find_document())

    async def _find_document(self) -> IdentityDocument:
        fingerprint = self._file.master.fingerprint
        asked = [self._noted(str(idurl), self._client.fetch(idurl, trusted=True)) for idurl in self._file.idurls]
        asked.append(self._parsed("the DHT", self._sources.identity_from_dht(fingerprint)))
        claim = self._claim()
        if claim is not None:
            asked += [self._from_supplier(hint, claim) for hint in self._file.hints.suppliers]
        results = await DeferredList(asked, consumeErrors=True)
        found = [document for ok, document in results if ok and isinstance(document, IdentityDocument)]
        mine = [document for document in found if document.fingerprint == fingerprint]
        if not mine:
            tried = "; ".join(self._tried) or "the key file names no ID server and no supplier"
            raise BitDustError("identity-not-found", f"no document of this key was found: {tried}")
        return max(mine, key=lambda document: document.revision)

    def _from_supplier(self, hint: SupplierHint, claim: IdentityDocument) -> "Deferred[IdentityDocument | None]":
        asked = self._sources.identity_from_supplier(hint, claim, self._device)
        return self._parsed(f"supplier {hint.fingerprint.hex()[:8]}", asked)

    def _parsed(self, source: str, asked: "Deferred[bytes | None]") -> "Deferred[IdentityDocument | None]":
        return self._noted(source, asked.addCallback(lambda xml: IdentityDocument.parse(xml) if xml else None))

    def _noted(self, source: str, asked: "Deferred[Any]") -> "Deferred[IdentityDocument | None]":
        """Remember what came of a source, for the message of a recovery that fails."""

        def failed(failure: Failure) -> None:
            self._tried.append(f"{source}: {failure.getErrorMessage()}")

        def answered(found: IdentityDocument | None) -> IdentityDocument | None:
            if found is None:
                self._tried.append(f"{source} has none")
            return found

        asked.addTimeout(ASK_SECONDS, self._world.clock)
        return asked.addCallbacks(answered, failed)

    def _claim(self) -> IdentityDocument | None:
        """A document of revision 0, which only shows that the RSA key is in these hands."""
        if not self._file.idurls:
            return None
        device = Device(0, 0, self._device.public)
        return IdentityDocument.create(self._file.master, self._file.idurls, 0, (device,), self._world.wall())

    def add_device(self, document: IdentityDocument) -> "Deferred[IdentityDocument]":
        revision = document.revision + 1
        devices = with_new_device(document.devices, self._device.public, revision)
        self._document = IdentityDocument.create(
            self._file.master, document.sources, revision, devices, self._world.wall()
        )
        return succeed(self._document)

    def save(self) -> None:
        assert self._document is not None
        self._me.adopt(self._document, self._file.master, self._device, fresh=False)

    def publish(self) -> "Deferred[Any]":
        return self._publication.publish()
