"""k pieces of a pack, from the suppliers that are fastest now.

Each supplier has an estimate of its answer time and speed, moved by every piece it gives. A pack asks the k suppliers
that should be done first, counting what each has to do already. One that makes no progress for twice the time expected
of it is not waited for: another is asked as well, and the first k good pieces win. A piece that does not fit its root
is noted against its supplier and fetched elsewhere.
"""

from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.automats.data_receiver import DataReceiver
from bitdust.automats.file_down import FileDown
from bitdust.automats.kernel import Registry
from bitdust.crypt.merkle import root
from bitdust.storage.pieces.bad_pieces import BadPieces
from bitdust.storage.ports import Ports, StorageWorld
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import PackRecord, PieceRef

LEAST_PATIENCE = 0.5
SILENCE = 30.0
FIRST_DELAY = 0.05
FIRST_SPEED = 20e6
PAUSES = (1.0, 5.0)


@define
class Pace:
    """What is to be expected of one supplier: seconds before the first byte, bytes a second, bytes asked for."""

    delay: float = FIRST_DELAY
    speed: float = FIRST_SPEED
    asked: int = 0
    suspect: bool = False

    def expected(self, size: int) -> float:
        """Seconds until a further piece would be here."""
        return self.delay + (self.asked + size) / self.speed

    def learn(self, seconds: float, size: int, queued: int) -> None:
        """A piece came after ``seconds``, behind ``queued`` other bytes."""
        self.suspect = False
        speed = (size + queued) / max(seconds, 1e-4)
        self.speed += 0.3 * (speed - self.speed) if size > 16 * 1024 else 0.0
        self.delay += 0.2 * (min(seconds, 5.0) - size / max(self.speed, 1.0) - self.delay)
        self.delay = max(self.delay, 0.001)


class Download:
    """One piece that is asked for: the port of its `FileDown` machine."""

    def __init__(self, pack: "PackFetch", supplier: bytes, index: int) -> None:
        self._pack = pack
        self.supplier = supplier
        self.index = index
        self.size = pack.record.piece_size
        self.received = 0
        self.hedged = False
        fetcher = pack.fetcher
        self.pace = fetcher.pace(supplier)
        self.patience = max(LEAST_PATIENCE, 2 * self.pace.expected(self.size))
        self.queued = self.pace.asked
        self.pace.asked += self.size
        self.started = self.moved = fetcher.world.clock.seconds()
        self.created = fetcher.world.wall()
        self.machine = FileDown(fetcher.registry, f"{pack.record.pack.hex()[:8]}.{index}", self)

    @property
    def pack_id(self) -> bytes:
        """The pack whose piece it is."""
        return self._pack.record.pack

    def request_piece(self) -> "Deferred[Any]":
        fields = {"kind": "piece", "pack": self._pack.record.pack, "index": self.index, "offset": 0, "length": 0}
        return self._pack.fetcher.ports.outbox.send(
            self.supplier, Command.RETRIEVE, fields, deadline=SILENCE, max_answer=self.size + 1024,
            progress=self._progress,
        )  # fmt: skip

    def _progress(self, received: int, total: int) -> None:
        self.received = received
        self.moved = self._pack.fetcher.world.clock.seconds()

    def release(self) -> None:
        """It is over, well or not."""
        self.pace.asked = max(0, self.pace.asked - self.size)

    def arrived(self, reply: Any) -> None:
        seconds = self._pack.fetcher.world.clock.seconds() - self.started
        self.release()
        self.pace.learn(seconds, self.size, self.queued)
        self._pack.piece(self, reply.payload)

    def failed(self, reason: Any) -> None:
        self.release()
        self.pace.suspect = True
        self._pack.no_piece(self, getattr(reason, "value", reason))

    def stop(self) -> None:
        """Nobody waits for it any more."""
        if self.machine.state in ("IN_QUEUE", "REQUESTED"):
            self.release()
            self.machine.send("stop")


class PackFetch:
    """``most`` good pieces of one pack. ``done`` fires with pieces by index; cancelling takes the requests back."""

    def __init__(self, fetcher: "Fetcher", record: PackRecord, places: dict[int, bytes], most: int) -> None:
        self.fetcher = fetcher
        self.record = record
        self.most = most
        self.pieces: dict[int, bytes] = {}
        self._places = dict(places)
        self._tried: dict[int, int] = {}
        self._running: dict[int, Download] = {}
        self._round = 0
        self._call: Any = None
        self.errors: list[str] = []
        self.done: Deferred[dict[int, bytes]] = Deferred(lambda _: self._stop())

    def fill(self) -> None:
        """Ask as many suppliers as pieces are lacking."""
        while not self.done.called and len(self.pieces) + len(self._running) < self.most and self._ask_next():
            continue
        if not self.done.called and len(self.pieces) + len(self._running) < self.most and not self._running:
            self._next_round()

    def _ask_next(self) -> bool:
        """Ask the best supplier that was not asked in this round."""
        fetcher, size = self.fetcher, self.record.piece_size
        open_ones = [
            index
            for index, supplier in self._places.items()
            if self._tried.get(index, -1) < self._round and index not in self.pieces and index not in self._running
            and fetcher.ports.is_online(supplier)
        ]  # fmt: skip
        if not open_ones:
            return False
        paces = {index: fetcher.pace(self._places[index]) for index in open_ones}
        best = min(open_ones, key=lambda index: (fetcher.rank(self._places[index]), paces[index].expected(size), index))
        self._tried[best] = self._round
        download = self._running[best] = Download(self, self._places[best], best)
        fetcher.asked()
        download.machine.send("start")
        return True

    def _next_round(self) -> None:
        """Everybody was asked: wait a little, then ask all again, a few times."""
        self._round += 1
        if self._round > len(PAUSES):
            reasons = "; ".join(dict.fromkeys(self.errors[-4:])) or "no supplier that has a piece is connected"
            text = f"only {len(self.pieces)} of {self.most} pieces of a pack could be had: {reasons}"
            self._finish(BitDustError("not-enough-pieces", text))
        elif self._call is None:
            self._call = self.fetcher.world.clock.callLater(PAUSES[self._round - 1], self._again)

    def _again(self) -> None:
        self._call = None
        self.fill()

    def piece(self, download: Download, data: bytes) -> None:
        """A piece has come: it counts when it fits its root."""
        self._running.pop(download.index, None)
        checking = self.fetcher.world.run_in_thread(self._fits, download.index, data)
        checking.addCallback(self._checked, download, data)
        checking.addErrback(self._unchecked, download)

    def _unchecked(self, failure: Failure, download: Download) -> None:
        self.no_piece(download, failure.value or RuntimeError("no reason was given"))

    def _fits(self, index: int, data: bytes) -> bool:
        return len(data) == self.record.piece_size and root(data) == self.record.roots[index]

    def _checked(self, fits: bool, download: Download, data: bytes) -> None:
        if self.done.called:
            return
        if not fits:
            self._places.pop(download.index, None)
            self.fetcher.bad_pieces.note(download.supplier, PieceRef(self.record.pack, download.index))
            self.no_piece(download, BitDustError("bad-piece", "a supplier gave a piece that is not what was stored"))
            return
        self.pieces[download.index] = data
        if len(self.pieces) >= self.most:
            self._finish(None)

    def no_piece(self, download: Download, error: BaseException) -> None:
        """This one is not to be had there now."""
        self._running.pop(download.index, None)
        self.errors.append(str(error))
        if not self.done.called:
            self.fill()

    def look(self, now: float) -> None:
        """Ask another supplier beside each one that stalls."""
        for download in list(self._running.values()):
            if not download.hedged and now - download.moved >= download.patience:
                download.hedged = download.pace.suspect = True
                self._ask_next()

    def downloads(self) -> list[Download]:
        """What is asked for now."""
        return list(self._running.values())

    def _finish(self, error: BitDustError | None) -> None:
        self._stop()
        if error is not None:
            self.done.errback(error)
        else:
            pieces, self.pieces = self.pieces, {}
            self.done.callback(pieces)

    def _stop(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        running, self._running = self._running, {}
        for download in running.values():
            download.stop()
        self.fetcher.ended(self)


class Fetcher:
    """I know every supplier's pace and all packs that are being fetched."""

    def __init__(self, world: StorageWorld, registry: Registry, ports: Ports, bad_pieces: BadPieces) -> None:
        self.world = world
        self.registry = registry
        self.ports = ports
        self._paces: dict[bytes, Pace] = {}
        self._packs: list[PackFetch] = []
        self.bad_pieces = bad_pieces
        self.machine = DataReceiver(registry, self)

    def pace(self, supplier: bytes) -> Pace:
        """What is known of a supplier."""
        return self._paces.setdefault(supplier, Pace())

    def rank(self, supplier: bytes) -> tuple[bool, int]:
        """Suppliers with a lower rank are asked first, however slow: those that give, and give what was stored."""
        return (self.pace(supplier).suspect, self.bad_pieces.count(supplier))

    def fetch(
        self, record: PackRecord, places: dict[int, bytes], most: int | None = None
    ) -> "Deferred[dict[int, bytes]]":
        """k checked pieces, or another number; ``places`` says who has which. Fails ``not-enough-pieces``."""
        pack = PackFetch(self, record, places, most or record.scheme.k)
        self._packs.append(pack)
        pack.fill()
        return pack.done

    def asked(self) -> None:
        """A piece is asked for."""
        self.machine.send("piece-asked")

    def ended(self, pack: PackFetch) -> None:
        """A pack is whole, or given up."""
        if pack in self._packs:
            self._packs.remove(pack)

    def is_receiving(self) -> bool:
        return any(pack.downloads() for pack in self._packs)

    def ask_others(self) -> None:
        now = self.world.clock.seconds()
        for pack in list(self._packs):
            pack.look(now)

    def stop_all(self) -> None:
        for pack in list(self._packs):
            pack.done.cancel()

    def stop(self) -> None:
        """Ask for nothing any more."""
        self.machine.send("shutdown")

    def incoming(self, supplier: bytes) -> list[Download]:
        """Pieces that one supplier was asked for."""
        return [one for pack in self._packs for one in pack.downloads() if one.supplier == supplier]
