"""Where clients of BitTorrent Sync's API find the folders of this node: next to nothing while they are not answered."""

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred, succeed

from bitdust.folders.port import FoldersPort


class ClientPort(Protocol):
    """Where clients are answered; `bitdust.web.btsync.port.BtsyncPort` is it."""

    def open(self, room: FoldersPort, /) -> "Deferred[None]":
        """Fires when clients are answered. Fails with ``port-taken``, ``password-needed``."""

    def close(self) -> "Deferred[None]":
        """Fires when every connection is closed."""

    @property
    def number(self) -> int:
        """The number of the port; 0 while it is closed."""


class BtsyncDoor:
    """`open` first, `close` last; the program of the dialect is loaded when it is opened."""

    def __init__(self, folders: FoldersPort) -> None:
        self._folders = folders
        self._make: Callable[[], ClientPort] | None = None
        self._opened: ClientPort | None = None

    def use_port(self, make: Callable[[], ClientPort]) -> None:
        """Answer clients there."""
        self._make = make

    @property
    def port(self) -> int:
        """The port where clients are answered; 0 where they are not."""
        return self._opened.number if self._opened is not None else 0

    def open(self) -> "Deferred[None]":
        """Fires when clients are answered; fails with ``port-taken`` or ``password-needed``."""
        if self._make is None:
            return succeed(None)
        self._opened = self._make()
        return self._opened.open(self._folders)

    def close(self) -> "Deferred[None]":
        """Fires when nobody is answered any more."""
        opened, self._opened = self._opened, None
        return opened.close() if opened is not None else succeed(None)

    def problem(self) -> str:
        """Why clients are not answered; empty where they are."""
        return "its port is closed" if self._opened is not None and not self._opened.number else ""
