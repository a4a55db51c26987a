"""What stands for whole rooms in the tests of others. Mypy reads this file, so that a port which grows is seen here."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed

from bitdust.storage.restore.options import AS_SET, RestoreOptions
from bitdust.storage.storage import Storage
from bitdust.storage.upload.options import USUAL, UploadOptions
from bitdust.suppliers.lost import AuditResults
from bitdust.suppliers.replacement import StoredPieces
from bitdust.suppliers.resizing import StoredPacks
from bitdust.wire.errors import BitDustError

Row = dict[str, Any]
Rows = list[Row]


class StoredAsSaid:
    """What the catalog would know: a test says which piece is where."""

    def __init__(self) -> None:
        self.data = False
        self.resized = False
        self.unmoved: set[tuple[int, bytes]] = set()
        self.needed: set[tuple[int, bytes]] = set()
        self.without_log: set[bytes] = set()
        self.refusing: dict[bytes, float] = {}
        self.strikes: dict[bytes, int] = {}
        self.my_customers: set[bytes] = set()

    def has_data(self) -> bool:
        return self.data

    def has_moved(self, position: int, supplier: bytes) -> bool:
        return (position, supplier) not in self.unmoved

    def is_needed(self, position: int, supplier: bytes, former: bytes) -> bool:
        return (position, former) in self.needed

    def refusing_for(self, supplier: bytes) -> float:
        return self.refusing.get(supplier, 0.0)

    def rounds(self, supplier: bytes) -> tuple[int, int]:
        return 0, self.strikes.get(supplier, 0)

    def fingerprints(self) -> frozenset[bytes]:
        return frozenset(self.my_customers)

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

    def __init__(self, result: Row) -> None:
        self.completion: Deferred[Row] = succeed(result)
        self.answer = self.completion
        self.automat: Row = {"index": 1, "id": "backup"}

    def describe(self) -> Row:
        return {"began": True}


class ClosedStorage(Storage):
    """A storage that was never opened: it remembers which jobs began, and each is done at once."""

    catalogs: Any = SimpleNamespace(is_shared=lambda name: False)

    def __init__(self, **result: Any) -> None:
        self._core = None
        self.result = result
        self.asked: list[tuple[Any, ...]] = []

    async def upload(self, local_path: str, remote_path: str, options: UploadOptions = USUAL) -> Any:
        self.asked.append(("upload", local_path, remote_path))
        return Began(self.result | {"remote_path": remote_path})

    async def download(self, remote_path: str, destination: str, policy: str, options: RestoreOptions = AS_SET) -> Any:
        self.asked.append(("download", remote_path, destination, policy))
        return Began(self.result | {"remote_path": remote_path})


class FolderStorage(ClosedStorage):
    """Knows one folder ``documents``, where something cannot be read."""

    def __init__(self) -> None:
        super().__init__(problems=[{"path": "x", "reason": "cannot be read"}])

    def info(self, remote_path: str, include_uploads: bool, include_downloads: bool) -> Row:
        if remote_path != "documents":
            raise BitDustError("not-found", f"{remote_path} was not found in the catalog")
        return {"name": "documents", "type": "folder"}

    def exists(self, remote_path: str) -> str | None:
        return "0" if remote_path == "documents" else None

    async def create(self, remote_path: str, as_folder: bool, exist_ok: bool, force_path_id: str | None) -> Row:
        self.asked.append(("create", remote_path, as_folder))
        return {"path_id": "1"}

    async def list(
        self,
        remote_path: str | None,
        key_id: str | None,
        recursive: bool,
        include_uploads: bool,
        include_downloads: bool,
        offset: int = 0,
        limit: int | None = None,
    ) -> Rows:
        versions = [{"backup_id": "0/F1", "reliable": "100%", "delivered": "100%"}]
        return [{"path_id": "0", "type": "file", "size": 5 << 20, "path": "a\x1b[31m", "versions": versions}]

    def uploads(self) -> dict[str, Rows]:
        return {"running": [], "pending": [{"path_id": "0", "remote_path": "documents"}]}

    def failed_uploads(self) -> Rows:
        return []

    def downloads(self) -> Rows:
        return []

    async def delete(self, remote_path: str, wait_result: bool = False) -> Row:
        return {"remote_path": "alice:a\x1b[31m", "path_id": remote_path}
