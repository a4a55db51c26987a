"""The copy of all keys that is kept at my suppliers beside what is pinned."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitdust.ipfs.names.store import KeyStore


class KeyCopy:
    """I am what the backup of pins asks for keys and for what they have published."""

    def __init__(self, keys: "Callable[[], KeyStore]") -> None:
        self._keys = keys

    async def written(self) -> bytes:
        """All of it, nothing where there are no keys but the node's own. Fails while they are locked."""
        keys = self._keys()
        return await keys.written() if len(await keys.kept()) > 1 else b""

    async def join(self, data: bytes) -> None:
        """Take what a home that was lost has left, and this one has not."""
        await self._keys().join(data)
