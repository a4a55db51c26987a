"""Key rings as suppliers keep them, and those of other devices of mine that this device cannot open.

A device without the RSA key opens a ring that was sealed for it alone. What is in another one may be nowhere else: so
no supplier gets the ring of this device before it has that one as well, which it then keeps beneath. When the RSA key
is here they are opened. An empty file remembers over restarts that there are some.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from bitdust.crypt.files import make_private_folder, remove_safely, write_safely
from bitdust.crypt.keyring import KeyRing
from bitdust.identity.me import Me
from bitdust.wire.encoding import WireError

UNOPENED = "unopened-rings"


@frozen
class KeptRing:
    """A ring as a supplier keeps it: its revision, its signed bytes, what is in it, whether its device counts.

    One that does not count is ``trusted`` all the same where its device was not revoked, but let go for a newer one.
    One that is not ``is_open`` cannot be read here: nothing is known of what is in it.
    """

    revision: int
    signed: bytes
    ring: KeyRing
    counts: bool = True
    trusted: bool = True
    signer: bytes = b""
    is_open: bool = True


class UnopenedRings:
    """I know the newest unopened ring of each other device, and which suppliers have it."""

    def __init__(self, folder: Path, me: Me) -> None:
        self._path = folder / UNOPENED
        self._me = me
        self._rings: dict[bytes, KeptRing] = {}
        self._there: dict[bytes, set[bytes]] = {}

    @property
    def may_be_beneath(self) -> bool:
        """Whether suppliers may keep such rings beneath the newest one: then they are asked for those as well."""
        return self._me.held_master is None or self._path.exists()

    @property
    def can_be_opened(self) -> bool:
        """Whether there are some, and the RSA key is here."""
        return bool(self._rings) and self._me.held_master is not None

    def note(self, supplier: bytes, rings: Sequence[KeptRing]) -> None:
        """What a supplier keeps, the newest first. Of a device the newest one counts: it says all that those before
        said. Who keeps none has lost those that it had."""
        there, seen = self._there.setdefault(supplier, set()), set[bytes]()
        if not rings:
            there.clear()
        for kept in rings:
            known = self._rings.get(kept.signer)
            if kept.signer not in seen and (known is None or kept.revision > known.revision):
                self._rings.pop(kept.signer, None)
                if not kept.is_open:
                    self._rings[kept.signer] = kept
            if not kept.is_open:
                there.add(kept.signed)
            seen.add(kept.signer)
        self._remember()

    def lacking(self, supplier: bytes) -> list[KeptRing]:
        """Those that a supplier has not, the oldest first."""
        there = self._there.get(supplier, set())
        return sorted((one for one in self._rings.values() if one.signed not in there), key=lambda one: one.revision)

    def brought(self, supplier: bytes, kept: KeptRing) -> None:
        """A supplier has this one, or does not take it."""
        self._there.setdefault(supplier, set()).add(kept.signed)

    def opened(self, read: Callable[[bytes], KeptRing]) -> list[KeptRing]:
        """Those that can be opened by now; they are none of mine any more when they were united."""
        found: list[KeptRing] = []
        for kept in self._rings.values() if self._me.held_master is not None else ():
            with suppress(WireError):
                found.append(read(kept.signed))
        return [kept for kept in found if kept.is_open]

    def united(self, rings: Iterable[KeptRing]) -> None:
        """These are part of my ring, and that is on the disk."""
        for kept in rings:
            self._rings.pop(kept.signer, None)
        self._remember()

    def _remember(self) -> None:
        """Where the disk takes no note, suppliers are asked again as long as the RSA key is not here."""
        with suppress(OSError):
            if self._rings and not self._path.exists():
                make_private_folder(self._path.parent)
                write_safely(self._path, b"")
            elif not self._rings and self._me.held_master is not None:
                remove_safely(self._path)
