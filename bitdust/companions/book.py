"""What is known of each companion, in a file of its own that only the owner of the home reads: ``devices/<name>``."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from bitdust.crypt.exchange import public_of
from bitdust.crypt.files import TEMPORARY, make_private_folder, remove_safely, write_safely
from bitdust.outcome import unbroken
from bitdust.wire.errors import BitDustError

MOST = 32
VERSION = 1
MAX_FILE = 16 * 1024
LABEL = 16
MOST_ROUTERS = 4
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


@frozen
class Record:
    """One companion. ``node_key`` is the secret key that this node has for it alone, ``app_key`` its public key, empty
    until it was let in; ``label`` names its route at routers, which are in ``routers`` by fingerprint; ``port`` is 0
    where the system chooses one; times are in seconds since 1970."""

    name: str
    routed: bool
    host: str
    port: int
    active: bool
    node_key: bytes = field(repr=False)
    label: bytes
    created: int
    app_key: bytes = b""
    authorized: int = 0
    routers: tuple[bytes, ...] = ()

    @property
    def node_public(self) -> bytes:
        """What the companion knows of this node."""
        return public_of(self.node_key)

    def without_app(self, node_key: bytes) -> "Record":
        """The same as nobody was let in, with another key of this node."""
        return evolve(self, app_key=b"", authorized=0, node_key=node_key)


def check_name(name: str) -> str:
    """Raises `BitDustError` ``bad-argument``."""
    if _NAME.fullmatch(name) is None:
        text = "a device is named by up to 40 letters, digits, dots, dashes and underscores; a letter or digit first"
        raise BitDustError("bad-argument", text)
    return name


class Book:
    """I know all of them; a change counts when it is on the disk, and changes are made one after the other."""

    log = Logger()

    def __init__(self, folder: Path, run_in_thread: "Callable[..., Deferred[Any]]") -> None:
        self._folder = folder
        self._run_in_thread = run_in_thread
        self._lock = DeferredLock()
        self.known: dict[str, Record] = {}
        self.damaged: dict[str, str] = {}
        """Files that cannot be read, and why; nobody writes over them."""

    def load(self) -> None:
        """Read all files."""
        self.known, self.damaged = {}, {}
        paths = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        for path in paths:
            if path.name.startswith(TEMPORARY):
                continue
            try:
                self.known[path.name] = _read(path)
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                self.damaged[path.name] = f"{path} cannot be read ({error})"
                self.log.warn("{problem}", problem=self.damaged[path.name])

    def of(self, name: str) -> Record:
        """Raises `BitDustError` ``not-found``, or ``damaged-device`` for one whose file cannot be read."""
        if name in self.damaged:
            raise BitDustError("damaged-device", f"{self.damaged[name]}; remove the device and add it again")
        if name not in self.known:
            raise BitDustError("not-found", f"there is no device {name[:80]!r}; bitdust device list shows all")
        return self.known[name]

    async def add(self, record: Record) -> None:
        """Fails with ``exists``, ``too-many-devices`` or `OSError`."""
        async with _held(self._lock):
            if record.name in self.known or record.name in self.damaged:
                raise BitDustError("exists", f"there is a device {record.name!r} already")
            if len(self.known) + len(self.damaged) >= MOST:
                raise BitDustError("too-many-devices", f"{MOST} devices are known; remove one of them first")
            await self._keep(record)

    async def change(self, name: str, **fields: Any) -> Record:
        """The record as it is afterwards. Fails with ``not-found`` or `OSError`."""
        async with _held(self._lock):
            before = self.of(name)
            record = evolve(before, **fields)
            if record != before:
                await self._keep(record)
            return record

    async def remove(self, name: str) -> None:
        """Fails with ``not-found`` or `OSError`."""
        async with _held(self._lock):
            if name not in self.damaged:
                self.of(name)
            await unbroken(self._drop(name))

    async def _drop(self, name: str) -> None:
        await self._run_in_thread(remove_safely, self._folder / name)
        self.known.pop(name, None)
        self.damaged.pop(name, None)

    async def _keep(self, record: Record) -> None:
        """Whoever gives up waiting: who was shut out on the disk alone would still be let in until the next start."""
        await unbroken(self._write(record))

    async def _write(self, record: Record) -> None:
        await self._run_in_thread(_write, self._folder, record)
        self.known[record.name] = record


class _held:  # noqa: N801 - reads as a word
    """``async with`` for a lock of Twisted."""

    def __init__(self, lock: DeferredLock) -> None:
        self._lock = lock

    async def __aenter__(self) -> None:
        await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


def _write(folder: Path, record: Record) -> None:
    make_private_folder(folder)
    said = {
        "version": VERSION,
        "routed": record.routed,
        "host": record.host,
        "port": record.port,
        "active": record.active,
        "node_key": record.node_key.hex(),
        "label": record.label.hex(),
        "created": record.created,
        "app_key": record.app_key.hex(),
        "authorized": record.authorized,
        "routers": [router.hex() for router in record.routers],
    }
    write_safely(folder / record.name, json.dumps(said, indent=1).encode(), 0o600)


def _read(path: Path) -> Record:
    """Raises `OSError`, `ValueError`, `TypeError`, `KeyError` or `AttributeError`."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE or not _NAME.fullmatch(path.name):
        raise ValueError("it is no file of a device")
    said = json.loads(path.read_bytes())
    if said["version"] != VERSION:
        raise ValueError(f"its version is {said['version']!r}, not {VERSION}")
    record = Record(
        name=path.name,
        routed=bool(said["routed"]),
        host=str(said["host"]),
        port=int(said["port"]),
        active=bool(said["active"]),
        node_key=bytes.fromhex(said["node_key"]),
        label=bytes.fromhex(said["label"]),
        created=int(said["created"]),
        app_key=bytes.fromhex(said["app_key"]),
        authorized=int(said["authorized"]),
        routers=tuple(bytes.fromhex(router) for router in said["routers"])[:MOST_ROUTERS],
    )
    if len(record.node_key) != 32 or len(record.label) != LABEL or len(record.app_key) not in (0, 32):
        raise ValueError("a key in it has the wrong length")
    return record
