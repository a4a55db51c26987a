"""What stands for whole rooms in the tests of others. Mypy reads this file, so that a port which grows is seen here."""

from typing import Any

from twisted.internet.defer import Deferred, succeed

from bitdust.storage.restore.options import AS_SET, RestoreOptions
from bitdust.storage.storage import Storage
from bitdust.storage.upload.options import USUAL, UploadOptions
from bitdust.suppliers.lost import AuditResults
from bitdust.suppliers.replacement import StoredPieces
from bitdust.suppliers.resizing import StoredPacks


class StoredAsSaid:
    """What the catalog would know: a test says which piece is where."""

    def __init__(self) -> None:
        self.data = False
        self.resized = False
        self.unmoved: set[tuple[int, bytes]] = set()
        self.needed: set[tuple[int, bytes]] = set()
        self.without_log: set[bytes] = set()
        self.strikes: dict[bytes, int] = {}

    def has_data(self) -> bool:
        return self.data

    def has_moved(self, position: int, supplier: bytes) -> bool:
        return (position, supplier) not in self.unmoved

    def is_needed(self, position: int, supplier: bytes, former: bytes) -> bool:
        return (position, former) in self.needed

    def failed_in_a_row(self, supplier: bytes) -> int | None:
        return self.strikes.get(supplier)

    def failing(self, least: int) -> frozenset[bytes]:
        return frozenset(who for who, count in self.strikes.items() if count >= least)

    def is_logged_at(self, supplier: bytes) -> bool:
        return supplier not in self.without_log

    def is_resized(self, since: float) -> bool:
        return self.resized


pieces: StoredPieces = StoredAsSaid()
packs: StoredPacks = StoredAsSaid()
audits: AuditResults = StoredAsSaid()


class Began:
    """A job that is done already."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.completion: Deferred[dict[str, Any]] = succeed(result)
        self.automat: dict[str, Any] = {}

    def describe(self) -> dict[str, Any]:
        return {"began": True}


class ClosedStorage(Storage):
    """A storage that was never opened: jobs begin and are done at once."""

    def __init__(self, **result: Any) -> None:
        self._core = None
        self.result = result
        self.destinations: list[str] = []

    async def upload(self, local_path: str, remote_path: str, options: UploadOptions = USUAL) -> Any:
        return Began(self.result)

    async def download(
        self, remote_path: str, destination: str, policy: str, options: RestoreOptions = AS_SET
    ) -> Any:
        self.destinations.append(destination)
        return Began(self.result)
