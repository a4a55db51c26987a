"""The file of a node's IPNS keys: sealed to its RSA key and its device where it has an identity, else as it is, 0600.

A home that is locked keeps the device's key sealed, and so this file too.
"""

from pathlib import Path

from attrs import frozen

from bitdust.crypt.boxes import open_box, seal_for
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.files import make_private_folder, write_safely
from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.identity.me import Me
from bitdust.ipfs.names.keys import Keys, read
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError

NAME = "ipfs-keys"
PLAIN = b"plain "
"""What a file begins with that nothing seals."""
LONGEST = 400 * 1024


@frozen
class Holder:
    """Who can open the file: a device, and the RSA key where it is here."""

    public: MasterPublic
    device: DeviceKey
    master: MasterKey | None

    @property
    def name(self) -> tuple[bytes, bytes]:
        """Who it is, so that a change of it is seen."""
        return self.public.fingerprint, self.device.id


def holder_of(me: Me) -> Holder | None:
    """The node as it is now; None where it has no identity. Raises `BitDustError` ``locked``."""
    if me.locked_key:
        raise me.absence()
    return Holder(me.public, me.device, me.held_master) if me.present else None


class KeyBook:
    """One file. Both methods may block."""

    def __init__(self, home: Path) -> None:
        self.path = home / "metadata" / NAME

    def read(self, holder: Holder | None) -> tuple[Keys, bool]:
        """What is in it, and whether it is as this holder writes it. Raises `BitDustError`: damaged-store, os-error."""
        if not self.path.exists():
            return {}, False
        try:
            with self.path.open("rb") as stream:
                data = stream.read(LONGEST + 1)
            opened, is_own = _opened(data, holder)
            return read(opened), is_own
        except OSError as error:
            raise self._trouble(error) from error
        except WireError as error:
            text = f"{self.path} cannot be opened ({error}); move it away to begin with new keys"
            raise BitDustError("damaged-store", text) from error

    def write(self, holder: Holder | None, data: bytes) -> None:
        """Return when it is on the disk. Raises `BitDustError` ``os-error``."""
        sealed = PLAIN + data if holder is None else seal_for(holder.public, [holder.device.public], data)
        try:
            make_private_folder(self.path.parent)
            write_safely(self.path, sealed)
        except OSError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: OSError) -> BitDustError:
        return BitDustError("os-error", f"{self.path}: {error.strerror or error}")


def _opened(data: bytes, holder: Holder | None) -> tuple[bytes, bool]:
    if data.startswith(PLAIN):
        return data.removeprefix(PLAIN), holder is None
    if holder is None:
        raise WireError("key-needed", "it is sealed to an identity, which is not here")
    try:
        return open_box(data, holder.device, None), True
    except WireError as error:
        if error.code != "key-needed" or holder.master is None:
            raise
    return open_box(data, holder.device, holder.master), False
