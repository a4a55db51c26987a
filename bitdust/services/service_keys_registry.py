"""My keys."""

from bitdust.identity.device_file import CERTIFICATE
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class KeysRegistryService(Service):
    """The key ring in the home: every key is in it before it is used."""

    name = "keys_registry"
    needs_identity = True
    duty = "keeps my keys and the storage secrets of each"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def health(self) -> None:
        folder = self._rooms.around.world.home / "metadata"
        certificate = folder / CERTIFICATE
        path = certificate if certificate.exists() else folder / "mykeyfile"
        if not path.is_file() or path.stat().st_mode & 0o077:
            raise Unhealthy(f"{path} is missing, or readable by others")
