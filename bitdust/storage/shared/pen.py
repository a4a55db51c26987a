"""What somebody who was let in writes with: the owner's permission, the secret for what is new, and a mark."""

import sqlite3
from collections.abc import Callable, Sequence

from attrs import field, frozen

from bitdust.crypt.writers import GuestDevice, Marks, number_of
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.storage.catalog.catalog import LogKeys, log_scope
from bitdust.storage.catalog.database import RECOVERING, meta
from bitdust.storage.log.access import LogAccess
from bitdust.storage.packs.packer import StorageKey
from bitdust.storage.shared.own_log import is_unread
from bitdust.wire.errors import BitDustError


@frozen
class Pen:
    """``quota`` are bytes that may be brought, ``scope`` is the tag under which suppliers take them."""

    scope: bytes
    epoch: int
    secret: bytes = field(repr=False)
    mark: bytes
    quota: int


def no_pen() -> Pen | None:
    """Of what is only read."""
    return None


class GuestLogs:
    """The logs of another owner's key, and my own beside them. ``pen`` and ``access`` are asked each time."""

    is_each_for_itself = False

    def __init__(self, me: Me, names: tuple[str, str], access: Callable[[], LogAccess], pen: Callable[[], Pen | None]
    ) -> None:  # fmt: skip
        """``names`` are alias and id of the key."""
        self._me = me
        self.alias, self.key_id = names
        self._access = access
        self._pen = pen

    @property
    def owner(self) -> bytes:
        """Whose key it is."""
        return self._access().owner

    @property
    def document(self) -> IdentityDocument:
        """The owner's identity."""
        return self._access().document

    def device(self, ident: bytes) -> Device | None:
        """One of the owner's."""
        return self._access().device(ident)

    def guest(self, scope: bytes | None, ident: bytes) -> GuestDevice | None:
        """One of those who were let in, me among them."""
        return self._access().guest(scope, ident)

    def readable_keys(self) -> list[str]:
        """The one key."""
        return self._access().readable_keys()

    def scopes(self, key: str) -> Sequence[bytes | None]:
        """Its tags."""
        return self._access().scopes(key)

    def secrets(self, key: str, epoch: int) -> tuple[bytes, ...]:
        """Its secrets."""
        return self._access().secrets(key, epoch)

    def may_write(self) -> bool:
        """Whether the owner lets me."""
        return self._pen() is not None

    def pen(self) -> Pen:
        """Raises `BitDustError` ``not-allowed`` where the share is only read."""
        pen = self._pen()
        if pen is None:
            raise BitDustError("not-allowed", f"{self.key_id} is only read here: ask its owner for access=write")
        return pen

    def marks(self) -> Marks:
        """Under which I have written, or do."""
        known, pen = self.guest(None, self._me.device.id), self.pen()
        return Marks((known.marks.marks if known is not None else frozenset()) | {pen.mark})

    def storage_key(self) -> StorageKey:
        """What new packs are sealed with."""
        pen = self.pen()
        return StorageKey(self.alias, pen.epoch, pen.secret, pen.scope)

    def number(self) -> int:
        """The last part of versions and path ids that this device makes there."""
        return number_of(self.pen().mark, self._me.device_number)

    def writing(self, database: sqlite3.Connection, key: str) -> LogKeys:
        """Under which keys entries are written now. Raises `BitDustError` ``not-allowed``, ``keys-not-ready``."""
        pen, device = self.pen(), self._me.device.id
        if meta(database, RECOVERING) is not None:
            raise BitDustError("keys-not-ready", f"{self.key_id} was not read yet: too few of its suppliers are there")
        if is_unread(database):
            text = (
                f"what this node wrote into {self.key_id} before has not come back from its suppliers; try again later"
            )
            raise BitDustError("keys-not-ready", text)
        scope = log_scope(database, key, device) or pen.scope
        return LogKeys(self.owner, key, scope, device, pen.epoch, pen.secret, self.marks())

    def check_ready(self) -> None:
        """Raises `BitDustError` ``not-allowed``."""
        self.pen()
