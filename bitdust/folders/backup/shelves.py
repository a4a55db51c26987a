"""Where files of folders are kept at suppliers: all of mine, those of one, and those of somebody else."""

from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.blocks.backup.shelf import Shelf
from bitdust.crypt.device import DeviceKey
from bitdust.signal import Signal


class OneShelf(Shelf, Protocol):
    """Files of one folder, under a key of its own. Secrets are those of a key that nobody else is let into."""

    def former(self) -> "Deferred[frozenset[str]]":
        """Names of those that still lie under the one key that all folders had in former versions."""

    def let_in(self, holder: bytes, /) -> None:
        """Whoever has the holder's key may read what is there, from now on. Raises `BitDustError`."""

    def shut_out(self, holder: bytes, /) -> None:
        """Nobody may by that any more."""

    def unfound(self, holder: bytes, /) -> str:
        """Why whoever has the holder's key would not find them there; empty where that is not known."""

    def is_offering(self, holder: bytes, /) -> bool:
        """Whether it is still to be seen whether whoever has the holder's key would find them there."""


class FolderShelf(Protocol):
    """Files of all folders of mine."""

    def can_keep(self) -> bool:
        """Whether files can be stored now, and all that there are are known."""

    def refusal(self) -> str:
        """Why nothing can be kept, however long one waits; empty where it can."""

    def secrets(self) -> list[bytes]:
        """Secrets of the key that nobody else is let into."""

    def versions(self) -> "Deferred[dict[str, str]]":
        """The newest version of each, by name."""

    def read(self, name: str, offset: int = 0, length: int | None = None, /) -> "Deferred[bytes]":
        """Bytes of one."""

    def of(self, label: str, /) -> OneShelf:
        """The files whose names begin with the label of a folder."""


class Borrowed(Protocol):
    """Files of one folder at suppliers of somebody else, from `begin` to `end`; ``opened`` says that they are known."""

    @property
    def owner(self) -> bytes: ...

    @property
    def opened(self) -> Signal[[]]: ...

    @property
    def problem(self) -> str: ...

    def begin(self) -> "Deferred[None]":
        """Connect to those suppliers. Fails with `BitDustError`."""

    def end(self) -> "Deferred[None]":
        """Ask nobody any more."""

    def can_keep(self) -> bool:
        """Whether they can be read now."""

    def versions(self) -> "Deferred[dict[str, str]]":
        """The newest version of each, by name."""

    def read(self, name: str, offset: int = 0, length: int | None = None, /) -> "Deferred[bytes]":
        """Bytes of one."""


class Lender(Protocol):
    """Who finds what owners let the holder of a secret read."""

    def borrow(self, holder: DeviceKey, /) -> Coroutine[Any, Any, Sequence[Borrowed]]:
        """All of it, not begun. Fails with `BitDustError`."""

    def forget_others(self, labels: Iterable[str], /) -> "Deferred[None]":
        """Remove from the disk what was read, but for folders with these labels; none of that is open. Fails with
        `OSError`."""
