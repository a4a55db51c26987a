"""Who writes in a log that several people share, and what opens it."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import field, frozen

from bitdust.identity.document import Device, IdentityDocument
from bitdust.storage.catalog.catalog import LogKeys
from bitdust.storage.log.access import SecretsLack
from bitdust.wire.errors import BitDustError


@frozen
class SharedKey:
    """The key: whose it is, its alias, its tags at suppliers, its storage secrets by name, and the one for what is new;
    None where another one is to be made first."""

    owner: bytes
    alias: str
    scopes: Sequence[bytes]
    secrets: Mapping[int, tuple[bytes, ...]] = field(repr=False)
    current: tuple[int, bytes] | None = field(repr=False)


class MemberAccess:
    """Who writes in it, and what opens it; ``key`` and ``members`` are asked each time, because both change."""

    is_each_for_itself = True

    def __init__(
        self, device: Callable[[], bytes], key: Callable[[], SharedKey],
        members: Callable[[], Iterable[IdentityDocument]],
    ) -> None:  # fmt: skip
        self._device = device
        self._key = key
        self._members = members

    @property
    def owner(self) -> bytes:
        """Whose suppliers hold it."""
        return self._key().owner

    @property
    def document(self) -> IdentityDocument:
        """The identity of the owner. Raises `BitDustError` ``unknown-user`` while it is not known here."""
        document = self._document_of(self.owner)
        if document is None:
            raise BitDustError("unknown-user", "the identity of the group's creator is not known here")
        return document

    def device(self, ident: bytes) -> Device | None:
        """A device of a member: where several name it, as the one has it who lets it say most.

        Anybody can write another's key into a document, and that it was revoked: that must silence nobody. Whose words
        they are says `is_writer`.
        """
        return _most_said(device for one in self._members() if (device := one.device(ident)) is not None)

    def is_writer(self, person: bytes, ident: bytes, sequence: int) -> bool:
        """Whether an entry of a device counts as a word of that member, as its own document has it."""
        document = self._document_of(person)
        return document is not None and _may_write(document.device(ident), sequence)

    def beside(self, ident: bytes, known: Iterable[bytes]) -> list[list[bytes]]:
        """Of each member who names a device, which ones of these are its devices too."""
        persons = [one for one in self._members() if one.device(ident) is not None]
        return [[one for one in known if one != ident and person.device(one) is not None] for person in persons]

    def _document_of(self, person: bytes) -> IdentityDocument | None:
        return next((one for one in self._members() if one.fingerprint == person), None)

    def now(self) -> "MemberAccess":
        """The same for as long as nothing else runs: many entries are checked by it, and members looked up once."""
        return _AccessNow(self._device, self._key, list(self._members()))

    def guest(self, scope: bytes | None, ident: bytes) -> None:
        """Nobody is a guest: all who write are members."""

    def readable_keys(self) -> list[str]:
        """The one key."""
        return [self._key().alias]

    def scopes(self, key: str) -> Sequence[bytes | None]:
        """Its tags."""
        return self._key().scopes

    def secrets(self, key: str, epoch: int) -> tuple[bytes, ...]:
        """Its secrets. Raises `BitDustError` ``key-not-found``."""
        found = self._key().secrets.get(epoch)
        if found is None:
            raise BitDustError("key-not-found", f"the secret {epoch} of {key} was not given to this node")
        return found

    def writing(self, database: sqlite3.Connection, key: str) -> LogKeys:
        """Under which secret this device writes now. Raises `SecretsLack` where one is to be made first."""
        known = self._key()
        if known.current is None:
            raise SecretsLack([known.alias])
        return LogKeys(known.owner, known.alias, known.scopes[0], self._device(), *known.current)

    def check_ready(self) -> None:
        """One is made when it is needed."""


class _AccessNow(MemberAccess):
    """With the documents of one moment; each device is searched for once."""

    def __init__(
        self, device: Callable[[], bytes], key: Callable[[], SharedKey], documents: Sequence[IdentityDocument]
    ) -> None:
        super().__init__(device, key, lambda: documents)
        self._by_person = {document.fingerprint: document for document in reversed(documents)}
        self._found: dict[bytes, Device | None] = {}

    def device(self, ident: bytes) -> Device | None:
        if ident not in self._found:
            self._found[ident] = super().device(ident)
        return self._found[ident]

    def _document_of(self, person: bytes) -> IdentityDocument | None:
        return self._by_person.get(person)


def _most_said(devices: Iterable[Device]) -> Device | None:
    return max(devices, key=lambda device: (device.revoked is None, device.sequence or 0), default=None)


def _may_write(device: Device | None, sequence: int) -> bool:
    return device is not None and (device.revoked is None or sequence <= (device.sequence or 0))
