"""Who may open which logs: my own with my key ring, those of another owner with the secrets that I was given."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import field, frozen

from bitdust.crypt.keyring import MASTER, RingKey
from bitdust.crypt.writers import GuestDevice, Writer, guest_device
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.storage.catalog.catalog import LogKeys, log_scope
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import GROUP_PREFIX


class SecretsLack(BitDustError):
    """These keys have no secret for anything new: a revoked device knows all that they have."""

    def __init__(self, keys: Sequence[str]) -> None:
        names = ", ".join(map(repr, keys))
        super().__init__("keys-not-ready", f"there is no storage secret of {names} for anything new yet")
        self.keys = keys


class LogAccess(Protocol):
    """Whose logs they are, and what opens them."""

    @property
    def owner(self) -> bytes:
        """The fingerprint of the owner."""

    @property
    def document(self) -> IdentityDocument:
        """The owner's identity, whose devices write the logs."""

    def device(self, ident: bytes, /) -> Device | None:
        """A device whose word counts in these logs, or did until it was revoked."""

    def guest(self, scope: bytes | None, ident: bytes, /) -> GuestDevice | None:
        """A device of somebody whom the owner let write under a tag, or did; None for any other."""

    @property
    def is_each_for_itself(self) -> bool:
        """Whether several people write, so that nobody but a device itself says where its log ends."""

    def readable_keys(self) -> list[str]:
        """Keys whose logs can be opened."""

    def scopes(self, key: str, /) -> Sequence[bytes | None]:
        """The tags under which others know a key's logs; None alone for the master key."""

    def secrets(self, key: str, epoch: int, /) -> tuple[bytes, ...]:
        """The storage secrets of a key under one name. Raises `BitDustError` ``key-not-found``."""


class WritableLogs(LogAccess, Protocol):
    """Logs to which this node writes."""

    def writing(self, database: sqlite3.Connection, key: str, /) -> LogKeys:
        """Under which keys entries are written now. Raises `BitDustError` ``keys-not-ready``, `SecretsLack` where a
        secret is to be made first."""

    def check_ready(self) -> None:
        """Raises `BitDustError` ``keys-not-ready`` while nothing can be written."""


class OwnLogs:
    """My logs: one for each key of my ring that has a secret, and those of guests beside them."""

    def __init__(self, me: Me) -> None:
        self._me = me

    @property
    def owner(self) -> bytes:
        """My fingerprint."""
        return self._me.fingerprint

    @property
    def document(self) -> IdentityDocument:
        """My document."""
        return self._me.document

    is_each_for_itself = False

    def device(self, ident: bytes) -> Device | None:
        """One of mine."""
        return self._me.document.device(ident)

    def guest(self, scope: bytes | None, ident: bytes) -> GuestDevice | None:
        """Of whom I let into the key with this tag; my own devices never are, whoever claims one of them."""
        if scope is None or self.device(ident) is not None:
            return None
        keys = (key for key in self._me.key_ring.keys.values() if scope in key.scopes)
        return guest_device((grant.writer for key in keys for grant in key.grants if grant.writes), ident)

    def readable_keys(self) -> list[str]:
        """Keys that have a secret, erased ones too: what is stored under them is still mine. None without a master.

        What is said in groups is no part of a catalog, and is kept elsewhere.
        """
        keys = self._me.key_ring.keys
        has_master = MASTER in keys and bool(keys[MASTER].secrets)
        named = [name for name, key in keys.items() if key.secrets and not name.startswith(GROUP_PREFIX)]
        return named if has_master else []

    def scopes(self, key: str) -> Sequence[bytes | None]:
        """As the ring has them; a log of a device that has none yet goes under the first one.

        Raises `BitDustError` ``keys-not-ready``.
        """
        return (None,) if key == MASTER else sorted(self._key(key).scopes)

    def secrets(self, key: str, epoch: int) -> tuple[bytes, ...]:
        """Secrets of my ring."""
        return self._me.key_ring.secrets(key, epoch)

    def writing(self, database: sqlite3.Connection, key: str) -> LogKeys:
        """Under which keys entries are written now: a log stays in the scope that it began in.

        Raises `BitDustError` ``keys-not-ready``, `SecretsLack` where a secret is to be made first.
        """
        device = self._me.device.id
        scope = log_scope(database, key, device) or self.scopes(key)[0]
        return LogKeys(self.owner, key, scope, device, *self._newest(key))

    def _newest(self, key: str) -> tuple[int, bytes]:
        usable = self._key(key).usable
        if not usable:
            raise SecretsLack([key])
        return max(usable)

    def _key(self, key: str) -> RingKey:
        known = self._me.key_ring.keys.get(key)
        if known is None or not known.secrets:
            raise BitDustError("keys-not-ready", "the key ring has not come back from the suppliers yet")
        return known

    def check_ready(self) -> None:
        """Raises `BitDustError` ``keys-not-ready`` while there is no secret of the master key."""
        self._newest(MASTER)


@frozen
class SharedLogs:
    """Logs of another owner, opened with what was given of some of its keys: tags by key, secrets by key and epoch."""

    document: IdentityDocument
    owner: bytes
    tags: Mapping[str, Sequence[bytes | None]]
    given: Mapping[str, Mapping[int, tuple[bytes, ...]]] = field(repr=False)
    writers: Sequence[Writer] = ()

    @property
    def is_each_for_itself(self) -> bool:
        """All devices are of one owner."""
        return False

    def device(self, ident: bytes) -> Device | None:
        """One of the owner's."""
        return self.document.device(ident)

    def guest(self, scope: bytes | None, ident: bytes) -> GuestDevice | None:
        """Of whom the owner let in besides; the owner's devices never are, whoever claims one of them."""
        return None if self.device(ident) is not None else guest_device(self.writers, ident)

    def readable_keys(self) -> list[str]:
        """Keys whose secrets were given."""
        return list(self.given)

    def scopes(self, key: str) -> Sequence[bytes | None]:
        """Tags that were given. Raises `BitDustError` ``key-not-found``."""
        if key not in self.tags:
            raise BitDustError("key-not-found", f"nothing of key {key!r} was given to this node")
        return self.tags[key]

    def secrets(self, key: str, epoch: int) -> tuple[bytes, ...]:
        """Secrets that were given."""
        try:
            return self.given[key][epoch]
        except KeyError:
            text = f"the storage secret {epoch} of key {key!r} was not given to this node"
            raise BitDustError("key-not-found", text) from None
