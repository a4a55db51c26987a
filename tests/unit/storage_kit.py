"""A customer's storage against real supplier stores, without sockets: one clock, and suppliers that can misbehave."""

import hashlib
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock

from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.config.settings import Settings
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.master import MasterKey
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.storage.catalog import figures
from bitdust.storage.storage import Storage
from bitdust.storage.upload.options import USUAL, UploadOptions
from bitdust.surroundings import Connected
from bitdust.testing.clock import GridClock
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.wire.packet import Command
from bitdust.wire.records import Family
from bitdust.wire.schema import Struct
from tests import keys
from tests.unit.kit import Reply
from tests.unit.supplier_kit import START, Shop

ROOM = 64 * 1024 * 1024
_MASTERS: list[MasterKey] = []


def master_key() -> MasterKey:
    """One RSA key for all tests of a run."""
    if not _MASTERS:
        _MASTERS.append(keys.search())
    return _MASTERS[0]


class PeerFailed(BitDustError):
    def __init__(self, fields: dict) -> None:
        super().__init__(fields["code"], fields["text"])
        self.fields = fields


class Supplier:
    """A real store behind a switch: ``mode`` is fine, away, coming (away, and not for long), frozen, mute (gives
    nothing), full or lying."""

    def __init__(self, folder: Path, number: int) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.shop = Shop(folder)
        self.shop.me.fingerprint = hashlib.sha256(b"supplier %d" % number).digest()
        self.shop.open()
        self.mode = "fine"
        self.asked: list[tuple[Command, str | None]] = []
        self.received = 0
        self.given = 0
        self.specs = {(spec.command, spec.kind): spec for spec in self.shop.rows.specs()}

    @property
    def fingerprint(self) -> bytes:
        return self.shop.me.fingerprint

    def ask(self, me: "Node", command: Command, fields: dict, payload: bytes | None, deadline: float):
        kind = fields.get("kind")
        self.asked.append((command, kind))
        if self.mode == "away":
            return fail(BitDustError("no-answer", "the supplier does not answer"))
        if self.mode == "frozen" or (self.mode == "mute" and command is Command.RETRIEVE):
            return self._say_nothing(me.clock, deadline)
        Struct(self.specs[command, kind].fields).check(dict(fields), "fields")
        if self.mode == "full" and command is Command.DATA and kind == "piece":
            return fail(PeerFailed({"code": "no-space", "text": "the disk of the supplier is full"}))
        rest = {name: value for name, value in fields.items() if name != "kind"}
        said = self.shop.ask(me.person(), command, kind, bytes(payload or b""), **rest)
        if said.command is Command.FAIL:
            return fail(PeerFailed(said.fields))
        data = said.bytes if said.payload is not None else b""
        self.received += len(payload or b"") if kind == "piece" else 0
        self.given += len(data) if kind == "piece" else 0
        if self.mode == "lying" and command is Command.RETRIEVE and kind == "piece":
            data = bytes([data[0] ^ 1]) + data[1:]
        return succeed(Reply(said.fields, data))

    def _say_nothing(self, clock: Clock, deadline: float) -> Deferred:
        waiting: Deferred = Deferred(lambda _: call.cancel())
        error = BitDustError("no-answer", f"no answer within {deadline} seconds")
        call = clock.callLater(deadline, waiting.errback, error)
        return waiting

    def pieces(self) -> int:
        """How many it holds, in files and beside their rows."""
        (small,) = self.shop.store._read.execute("SELECT count(*) FROM small").fetchone()
        return small + sum(1 for path in self.shop.folder.rglob("*") if path.is_file() and len(path.name) > 32)

    def throw_away(self) -> int:
        """Remove every piece, in files and beside their rows, behind the store's back; how many they were."""
        count = self.pieces()
        for path in self.shop.folder.rglob("*"):
            if path.is_file() and len(path.name) > 32:
                path.unlink()
        with self.shop.store._writer as database:
            database.execute("DELETE FROM small")
        return count


class Neighbours:
    """The suppliers of one customer, and what its DHT knows."""

    def __init__(self, folder: Path, n: int = 4, k: int | None = None) -> None:
        self.suppliers = [Supplier(folder / f"supplier-{number}" / "customers", number) for number in range(n)]
        self.k = k or (n + 1) // 2
        self.heads: list = []

    def family(self, customer: bytes) -> Family:
        return Family(customer, 1, self.k, len(self.suppliers), START, [one.fingerprint for one in self.suppliers])

    def close(self) -> None:
        for supplier in self.suppliers:
            supplier.shop.close()


class Node:
    """One device of a customer: home, identity, storage; it is the storage's ports, and its outbox."""

    def __init__(
        self, home: Path, around: Neighbours, clock: Clock | None = None, before: "Node | None" = None
    ) -> None:
        self.home = home
        self.around = around
        self.clock = clock or GridClock()
        self.ahead = 0.0  # of the true time, in seconds
        (home / "metadata").mkdir(parents=True, exist_ok=True)
        self.world = SimpleNamespace(
            home=home, clock=self.clock, wall=lambda: START + self.ahead + self.clock.seconds(), entropy=os.urandom,
            run_in_thread=maybeDeferred,
        )  # fmt: skip
        self.events: list[tuple[str, dict]] = []
        self.settings = Settings(home / "config")
        self.settings.set("paths/disk-reserve-percent", 0)
        self.registry = Registry(self.clock, self.world.wall)
        self.me = Me(self.world, self)
        self.me.load()
        if not self.me.present:
            self._become(before)
        self.taken = self.outdated = 0
        self.counted: dict[bytes, int | None] = {}
        self.reunited: list[bytes] = []
        self.is_aside = False
        self.space: int | None = ROOM * around.k
        sessions = SimpleNamespace(connected=self.is_online)
        identities = SimpleNamespace(get=lambda fingerprint: None, is_proven=lambda fingerprint: True)
        self.connected = Connected(
            self.world, self.settings, self, self.registry, Budget(), self.me, identities, sessions, self
        )
        self.storage = Storage(self.connected, self)
        self.sent = 0
        self.cut_after: int | None = None

    def _become(self, before: "Node | None") -> None:
        device = DeviceKey.generate(os.urandom)
        known = before.me.document.devices if before else ()
        revision = before.me.document.revision + 1 if before else 1
        number = max((one.number for one in known), default=-1) + 1
        devices = (*known, Device(number, revision, device.public))
        source = IDURL.parse("http://id.example/alice.xml")
        document = IdentityDocument.create(master_key(), (source,), revision, devices, START)
        self.me.adopt(document, master_key(), device, fresh=before is None)

    def person(self):
        for supplier in self.around.suppliers:
            supplier.shop.documents[self.me.fingerprint] = self.me.document
        return SimpleNamespace(fingerprint=self.me.fingerprint, document=self.me.document, device=self.me.device)

    def hire(self) -> None:
        for position, supplier in enumerate(self.around.suppliers):
            n = len(self.around.suppliers)
            said = supplier.shop.hire(self.person(), ROOM, position=position, n=n)
            assert said.command is Command.ACK, said

    def start(self) -> "Node":
        """What the services do, in their order."""
        done(self.storage.open())
        core = self.storage.core
        core.key_ring_replicas.start()
        core.log_replicas.start()
        core.uploads.resume()
        core.downloads.resume()
        core.monitor.start()
        core.reencoder.start()
        return self

    def stop(self) -> None:
        core = self.storage.core
        core.uploads.suspend()
        core.downloads.suspend()
        done(self.storage.close())
        self.registry.shutdown()

    def kill(self) -> None:
        """As kill -9: nothing is written any more, nobody is told."""
        core = self.storage.core
        self.cut_after = -1
        core.catalog.drop()
        for call in list(self.clock.getDelayedCalls()):
            call.cancel()

    def wait(self, deferred, seconds: float = 30.0):
        """Let time pass until it has fired; its result."""
        results: list = []
        deferred.addBoth(results.append)
        passed = 0.0
        while not results and passed < seconds:
            self.clock.advance(0.05)
            passed += 0.05
        assert results, "the Deferred has not fired in time"
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        self.clock.pump([step] * int(seconds / step))

    def run(self, coroutine):
        return self.wait(Deferred.fromCoroutine(coroutine))

    # in the user's words

    def create(self, path: str, folder: bool = False):
        return self.wait(Deferred.fromCoroutine(self.storage.create(path, folder, True, None)))

    def begin_upload(self, local: Path, remote: str, options: UploadOptions = USUAL):
        self.create(remote, local.is_dir() and not local.is_symlink())
        return self.wait(Deferred.fromCoroutine(self.storage.upload(str(local), remote, options)))

    def upload(self, local: Path, remote: str):
        return self.wait(self.begin_upload(local, remote).completion)

    def begin_download(self, remote: str, target: Path, policy: str = "replace"):
        return self.wait(Deferred.fromCoroutine(self.storage.download(remote, str(target), policy)))

    def download(self, remote: str, target: Path, policy: str = "replace"):
        return self.wait(self.begin_download(remote, target, policy).completion, 120)

    def hold_next_change(self):
        """Whoever writes to the catalog next hears only that it is done when what is returned is called."""
        catalog, held = self.storage.core.catalog, []
        change = catalog.change

        def late(call):
            catalog.change = change
            waiting: Deferred = Deferred()
            change(call).addCallback(lambda value: held.append(lambda: waiting.callback(value)))
            return waiting

        catalog.change = late

        def go_on():
            held.pop()()

        return go_on

    def delete(self, remote: str):
        return self.wait(Deferred.fromCoroutine(self.storage.delete(remote)))

    def rows(self, path: str | None = None, recursive: bool = True):
        return self.wait(Deferred.fromCoroutine(self.storage.list(path, None, recursive, False, False)))

    def pieces(self) -> dict[str, int]:
        """How many pieces are due, acknowledged, waiting and missing."""
        return figures.pieces(self.storage.core.catalog.read)

    def info(self, path: str):
        return self.storage.info(path, False, False)

    # the storage's ports

    def send(self, *arguments, **options):
        """Of events: event, data. Of packets: to, command, fields, payload and options."""
        if isinstance(arguments[0], str):
            self.events.append((arguments[0], arguments[1] if len(arguments) > 1 else {}))
            return None
        to, command, fields, *rest = arguments
        if self.cut_after is not None and self.sent >= self.cut_after:
            return Deferred()
        self.sent += 1
        supplier = next(one for one in self.around.suppliers if one.fingerprint == to)
        return supplier.ask(self, command, fields, rest[0] if rest else None, options["deadline"])

    def family(self) -> Family:
        return self.around.family(self.me.fingerprint)

    def is_online(self, fingerprint: bytes) -> bool:
        return self.mode_of(fingerprint) not in ("away", "coming")

    def is_coming(self, fingerprint: bytes) -> bool:
        return self.mode_of(fingerprint) == "coming"

    def mode_of(self, fingerprint: bytes) -> str:
        return next((one.mode for one in self.around.suppliers if one.fingerprint == fingerprint), "away")

    def is_family_mine(self) -> bool:
        return True

    def of_other_lives(self) -> list[bytes]:
        return self.reunited

    def awaits_others(self) -> bool:
        return bool(self.reunited)

    def are_some_aside(self) -> bool:
        return self.is_aside

    def room(self) -> int | None:
        return self.space

    def note_taken(self, supplier, taken) -> None:
        self.counted[supplier] = taken

    def publish_head(self, head, signed):
        self.around.heads.append(head)
        return succeed(None)

    def known_heads(self):
        return succeed(list(self.around.heads))

    def device_is_taken(self) -> None:
        self.taken += 1
        self.me.renew_device(revoke=False)

    def catalog_is_outdated(self) -> None:
        self.outdated += 1

    # what tests look at

    def event_names(self) -> list[str]:
        return [name for name, _ in self.events]

    def events_of(self, name: str) -> list[dict]:
        return [data for known, data in self.events if known == name]


def done(coroutine):
    """The result of something that must not wait."""
    results: list = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    assert results, "it waits"
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


def network(case, n: int = 4) -> tuple[Path, Neighbours, Node]:
    """A folder, n suppliers and a started customer; all closed after the test."""
    base = Path(case.mktemp())
    around = Neighbours(base, n)
    case.addCleanup(around.close)
    node = Node(base / "home", around)
    node.hire()
    node.start()
    case.addCleanup(stop_quietly, node)
    return base, around, node


class Stopped:
    """A network that was stopped with all that it had stored, so that many tests begin with what one of them made."""

    def __init__(self, case, base: Path, around: Neighbours, node: Node) -> None:
        self._kept = Path(case.mktemp()).absolute()
        self._time = node.clock.seconds()
        node.stop()
        around.close()
        shutil.copytree(base, self._kept, symlinks=True)
        self._heads = around.heads

    def again(self, case) -> tuple[Path, Neighbours, Node]:
        """See `network`; the time goes on as well."""
        base = Path(case.mktemp())
        shutil.copytree(self._kept, base, symlinks=True)
        around = Neighbours(base)
        around.heads.extend(self._heads)
        case.addCleanup(around.close)
        clock = GridClock()
        clock.advance(self._time)
        node = Node(base / "home", around, clock)
        node.start()
        case.addCleanup(stop_quietly, node)
        return base, around, node


def stop_quietly(node: Node) -> None:
    if node.storage.is_open and node.storage.core.catalog.is_open:
        node.stop()


def random_file(path: Path, size: int) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = os.urandom(size)
    path.write_bytes(data)
    return data
