"""Suppliers that fetch what they prove from somebody else, and honest ones that are slow: the first are found out."""

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.merkle import LEAF_SIZE, leaves_of, rooted_proof
from bitdust.crypt.possession import LeafChain
from bitdust.customers.names import PieceName
from bitdust.customers.small import small_bytes
from bitdust.formats.proof import MOST_PIECES, LeafProof, to_bytes
from bitdust.storage.catalog.database import open_catalog
from bitdust.storage.keeping.audit_times import FLOOR, LONGEST_WAY, Least, Speed, limits
from bitdust.storage.keeping.prover import Sought
from bitdust.wire.packet import Command
from bitdust.wire.records import PieceRef
from tests.unit.storage_kit import Node, PeerFailed, Reply, Stopped, Supplier, network, random_file

HOUR, DAY = 3600.0, 86400.0
SLOWLY = 3 * HOUR
PIECE = 2 * LEAF_SIZE
PACKS = 40


def is_question(command: Command, fields: dict) -> bool:
    return command is Command.RETRIEVE and fields.get("kind") == "proof"


class Relay:
    """A supplier without a disk: whoever has its pieces gives it one leaf after the other, or all of them."""

    def __init__(self, node: Node, supplier: Supplier, trip: float, rate: float = 0.0) -> None:
        self.node, self.supplier, self.trip, self.rate = node, supplier, trip, rate
        owner, folder = node.me.fingerprint, supplier.shop.folder
        query = "SELECT pack, number FROM pieces WHERE customer=?"
        database = supplier.shop.store._read
        names = [PieceName(owner, bytes(pack), number) for pack, number in database.execute(query, (owner,)).fetchall()]
        self.elsewhere = {
            (name.pack, name.number): small_bytes(database, name) or name.path(folder).read_bytes() for name in names
        }
        assert supplier.throw_away() == len(self.elsewhere)

    def ask(self, me: Node, command: Command, fields: dict, payload: bytes | None, deadline: float) -> Deferred:
        if is_question(command, fields) and fields["pieces"]:
            return Deferred.fromCoroutine(self.prove(me.me.fingerprint, fields))
        return Supplier.ask(self.supplier, me, command, fields, payload, deadline)

    async def prove(self, owner: bytes, fields: dict) -> Reply:
        chain = LeafChain(fields["nonce"], owner, self.supplier.fingerprint)
        pieces, proofs = [self.elsewhere[one["pack"], one["index"]] for one in fields["pieces"]], []
        if self.rate:
            await deferLater(self.node.clock, self.trip + sum(map(len, pieces)) / self.rate)
        for data in pieces:
            leaf = chain.leaf(leaves_of(len(data)))
            if not self.rate:
                await deferLater(self.node.clock, self.trip)
            content = data[leaf * LEAF_SIZE : (leaf + 1) * LEAF_SIZE]
            proofs.append(LeafProof(content, tuple(rooted_proof(data, leaf)[1])))
            chain.take(content)
        return Reply({"kind": "proof", "chain": chain.value}, to_bytes(proofs))


class Disk:
    """Seconds that an honest supplier takes: what it has read is in memory, and gets lost there within a minute."""

    def __init__(self, node: Node, each: float, cached: float = 0.002, asleep: float = 0.0) -> None:
        self.wall, self.each, self.cached, self.asleep = node.world.wall, each, cached, asleep
        self.read: dict[tuple, float] = {}
        self.used = -HOUR
        self.questions: list[float] = []

    def __call__(self, pieces: list[dict]) -> float:
        if not pieces:
            return 0.0
        now, seconds = self.wall(), 0.0
        if self.asleep and now - self.used > 300:
            seconds += self.asleep
        self.used = now
        self.questions.append(now)
        for piece in (tuple(one.values()) for one in pieces):
            seconds += self.cached if now - self.read.get(piece, -HOUR) < 60 else self.each
            self.read[piece] = now
        return seconds


class TimesCase(SynchronousTestCase):
    _uploaded: Stopped | None = None

    def setUp(self) -> None:
        if TimesCase._uploaded is None:
            self.base, self.around, self.node = network(self)
            self.node.settings.set("services/backups/block-size", 2 * PIECE)
            random_file(self.base / "file", PACKS * 2 * PIECE)
            self.node.upload(self.base / "file", "file")
            self.run_for(1)
            TimesCase._uploaded = Stopped(self, self.base, self.around, self.node)
        self.base, self.around, self.node = TimesCase._uploaded.again(self)
        self.run_for(1)

    def run_for(self, seconds: float) -> None:
        """Every call comes within a microsecond of its time."""
        clock = self.node.clock
        end = clock.seconds() + seconds
        while (due := clock.next_call()) is not None and due <= end:
            clock.advance(max(0.0, due - clock.seconds()) + 1e-6)
        clock.advance(max(0.0, end - clock.seconds()))

    def days(self, days: float, step: float = 1800.0) -> None:
        """So many days pass, in which nothing but audits happens, and one is begun each ``step`` seconds at most."""
        end = self.node.world.wall() + days * DAY
        while self.node.world.wall() < end:
            self.audits.suppliers_changed()
            self.run_for(0.01)
            while any(audit.machine.state != "RESTING" for audit in self.audits._audits.values()):
                self.run_for(0.5)
            self.node.ahead += step

    @property
    def audits(self):
        return self.node.storage.core.audits

    @property
    def times(self):
        return self.audits.book.times

    def who(self, number: int) -> bytes:
        return self.around.suppliers[number].fingerprint

    def row(self, number: int) -> dict:
        return self.audits.row(self.who(number))

    def standing(self, number: int) -> tuple[str, bool]:
        row = self.row(number)
        return row["standing"], bool(row["passed"])

    def round(self) -> None:
        self.audits.now()
        self.run_for(60)

    def relay(self, number: int, trip: float, rate: float = 0.0) -> None:
        supplier = self.around.suppliers[number]
        supplier.ask = Relay(self.node, supplier, trip, rate).ask

    def takes(self, number: int, seconds: Callable[[list], float]) -> None:
        """Every answer to a question comes so many seconds later; a sign of life is one about no pieces."""
        supplier = self.around.suppliers[number]
        original = supplier.ask

        def ask(me, command, fields, payload, deadline):
            if not is_question(command, fields):
                return original(me, command, fields, payload, deadline)
            waiting: Deferred = Deferred()
            answer = lambda: original(me, command, fields, payload, deadline).chainDeferred(waiting)  # noqa: E731
            self.node.clock.callLater(seconds(fields["pieces"]), answer)
            return waiting

        supplier.ask = ask

    def disk(self, number: int, *times: float, **more: float) -> Disk:
        disk = Disk(self.node, *times, **more)
        self.takes(number, disk)
        return disk


class RelayTests(TimesCase):
    def test_leaf_by_leaf(self) -> None:
        """Who has no disk, and a round trip of 50 ms to who has its pieces, never passes; within two days it has
        failed, and within a week somebody else gets its place. It never was anything but a relay."""
        self.relay(1, 0.05)
        self.days(2)
        self.assertEqual((self.standing(1), self.standing(0)), (("failed", False), ("proven", True)))
        event = self.node.events_of("supplier-audit-failed")[-1]
        self.assertEqual((event["reason"], event["missing"], event["wrong"]), ("its answers come too late", 0, 0))
        self.days(5)
        self.assertEqual([self.audits.is_distrusted(self.who(number)) for number in range(4)],
                         [False, True, False, False])  # fmt: skip
        self.assertEqual(self.row(0)["failed"], 0)

    def test_all_at_once(self) -> None:
        """Who fetches whole pieces over 10 Mbit/s does not pass either: it is asked for others, not for these again."""
        self.relay(1, 0.02, 10e6 / 8)
        self.days(2)
        self.assertEqual(self.standing(1), ("failed", False))

    def test_who_had_a_disk(self) -> None:
        """Who has shown how quick it is may not take as long as an unknown one: 20 ms a leaf are found out then."""
        self.days(0.1)
        self.assertEqual(self.standing(1), ("proven", True))
        self.relay(1, 0.02)
        self.days(4)
        self.assertEqual((self.standing(1), self.row(1)["passed"]), (("failed", True), 1))

    def test_signs_of_life_that_come_late(self) -> None:
        """A sign of life that is held back earns no more time: half a second more at most, and nothing at all for who
        has been quicker within a day."""
        for number, held, trip in ((1, 0.5, 0.2), (2, 1.0, 0.05), (3, 0.2, 0.05)):
            self.relay(number, trip)
            self.takes(number, lambda pieces, held=held: 0.0 if pieces else held)
        self.days(4)
        self.assertEqual([self.standing(number) for number in range(4)],
                         [("proven", True), ("failed", False), ("overdue", False), ("failed", False)])  # fmt: skip

    def test_late_rounds_are_repeated_ever_more_rarely(self) -> None:
        """From ten minutes on each pause is twice the one before; a round in time forgets all that were late."""
        disk = self.disk(1, 0.3, 0.3)
        self.days(0.04, 1800)
        self.days(0.45, 60)
        rounds = [later - sooner for sooner, later in itertools.pairwise(disk.questions) if later - sooner > 60]
        self.assertEqual([int(pause / (600 * 2**number)) for number, pause in enumerate(rounds)], [1] * len(rounds))
        self.assertGreater(len(rounds), 4)
        self.assertEqual((self.row(1)["failed"], self.audits.book.of(self.who(1)).late), (0, len(rounds) + 1))
        disk.each = disk.cached = 0.001
        self.round()
        self.assertEqual((self.row(1)["passed"], self.audits.book.of(self.who(1)).late), (1, 0))


class EvadingTests(TimesCase):
    """Who lets no round come to its end fails as one does whose answers are always late, only later."""

    def never(self, number: int, seconds: float = 0.0, code: str = "") -> None:
        """It answers a question with a code, after so many seconds, or not at all."""
        supplier = self.around.suppliers[number]
        original = supplier.ask

        def ask(me, command, fields, payload, deadline):
            if not is_question(command, fields):
                return original(me, command, fields, payload, deadline)
            waiting: Deferred = Deferred()
            error = PeerFailed({"code": code or "no-answer", "text": "not now"})
            self.node.clock.callLater(seconds, waiting.errback, error)
            return waiting

        supplier.ask = ask

    def test_nothing_is_ever_proved(self) -> None:
        """Whether it is always busy, never answers, or holds signs of life back: within seventeen days it has
        failed so often that somebody else gets its place, and others keep theirs."""
        self.never(0, code="busy")
        self.takes(1, lambda pieces: 1.0)
        self.days(9, SLOWLY)
        self.assertEqual([self.row(number)["failed"] for number in range(4)], [0] * 4)
        self.days(8, SLOWLY)
        self.assertEqual([self.audits.is_distrusted(self.who(number)) for number in range(4)],
                         [True, True, False, False])  # fmt: skip
        reasons = {event["reason"] for event in self.node.events_of("supplier-audit-failed")}
        self.assertEqual(reasons, {"it is there, and has proved nothing for long"})

    def test_one_that_never_answers(self) -> None:
        """The same where each question is left without an answer."""
        self.never(1, 15.0)
        self.days(17, SLOWLY)
        self.assertEqual([self.audits.is_distrusted(self.who(number)) for number in range(4)],
                         [False, True, False, False])  # fmt: skip

    def test_where_nobody_proves_anything(self) -> None:
        """Where fewer than k do it may be this node's line: nobody fails for that, however long it takes."""
        for number in range(3):
            self.never(number, code="busy")
        self.days(20, SLOWLY)
        self.assertEqual([self.standing(number) for number in range(4)], [("overdue", False)] * 3 + [("proven", True)])
        self.assertEqual([self.row(number)["failed"] for number in range(4)], [0] * 4)

    def test_who_has_nothing_to_prove(self) -> None:
        """Of suppliers without a piece nobody learns what this node's line takes."""
        with sqlite3.connect(self.node.storage.core.catalog.path) as database:
            database.execute("UPDATE pieces SET supplier=?, state=2 WHERE number>0", (self.who(3),))
        self.never(0, code="busy")
        self.days(20, SLOWLY)
        self.assertEqual((self.row(1)["passed"] > 0, self.row(0)["failed"]), (True, 0))

    def test_one_proof_is_enough(self) -> None:
        """A line that is quiet for an hour in nine days costs nobody a place."""
        for _ in range(3):
            self.takes(1, lambda pieces: 1.0)
            self.days(8.5, SLOWLY)
            del self.around.suppliers[1].ask
            self.days(0.1)
        self.assertEqual((self.standing(1), self.row(1)["failed"]), (("proven", True), 0))

    def test_who_was_away(self) -> None:
        """After three weeks away a supplier that is starting, and busy, for half a day has not failed."""
        self.around.suppliers[1].mode = "away"
        self.days(21, SLOWLY)
        self.around.suppliers[1].mode = "fine"
        self.never(1, code="busy")
        self.days(0.5)
        self.assertEqual(self.row(1)["failed"], 0)
        del self.around.suppliers[1].ask
        self.days(0.5)
        self.assertEqual((self.standing(1), self.row(1)["failed"]), (("proven", True), 0))


class HonestTests(TimesCase):
    def always_proven(self, number: int, days: int = 6) -> None:
        for _ in range(days * 2):
            self.days(0.5)
            self.assertEqual((self.row(number)["standing"], self.row(number)["failed"]), ("proven", 0))
        self.assertGreaterEqual(self.row(number)["passed"], days / 2)

    def test_a_long_way(self) -> None:
        """Who is 300 ms away passes."""
        self.takes(1, lambda pieces: 0.3)
        self.always_proven(1)

    def test_a_usual_disk(self) -> None:
        """A disk that seeks for 10 ms is asked no question twice, whatever was in memory at first."""
        disk = self.disk(1, 0.012)
        self.always_proven(1)
        self.assertEqual(len(disk.questions), 2 * self.row(1)["passed"])

    def test_a_slow_disk(self) -> None:
        """A disk that takes 60 ms a piece passes: what it has read at the first question is in memory at the second."""
        disk = self.disk(1, 0.06, 0.01)
        self.always_proven(1)
        self.assertEqual(len(disk.questions), 4 * self.row(1)["passed"])

    def test_a_disk_that_sleeps(self) -> None:
        """A disk that takes ten seconds to wake up, and is slow then, passes too."""
        disk = self.disk(1, 0.06, 0.01, asleep=10.0)
        self.always_proven(1)
        self.assertEqual(len(disk.questions), 5 * self.row(1)["passed"])

    def test_a_busy_disk(self) -> None:
        """A disk that is busy for a whole day fails nothing, and passes once it is not."""
        disk = self.disk(1, 1.0, 1.0)
        self.days(0.5)
        self.assertEqual((self.row(1)["standing"], self.row(1)["failed"]), ("proven", 0))
        disk.each = disk.cached = 0.005
        self.days(1)
        self.assertEqual((self.standing(1), self.row(1)["failed"]), (("proven", True), 0))

    def test_a_way_that_is_full(self) -> None:
        """Where everything takes two seconds for days nobody has failed, little is asked, and one quiet hour is enough
        for a proof."""
        seconds, asked = [2.0], []

        def way(pieces: list) -> float:
            asked.extend(pieces)
            return seconds[0]

        self.takes(1, way)
        self.days(5)
        self.assertEqual((self.standing(1), self.row(1)["failed"], asked), (("overdue", False), 0, []))
        seconds[0] = 0.05
        self.days(0.05)
        self.assertEqual((self.standing(1), self.row(1)["failed"]), (("proven", True), 0))

    def test_who_moves_away(self) -> None:
        """Who was next door and is 400 ms away from now on is never overdue."""
        self.days(0.1)
        self.takes(1, lambda pieces: 0.4)
        self.always_proven(1)


class LimitTests(TimesCase):
    def test_what_is_remembered(self) -> None:
        """Ways and paces outlive a restart; a catalog that has none of them yet is opened, and gets them."""
        self.disk(1, 0.011)
        self.takes(1, lambda pieces: 0.1)
        self.round()
        sought = [Sought(PieceRef(bytes(16), 0), PIECE)] * MOST_PIECES
        before = self.times.limits(self.who(1), sought)
        self.assertNotEqual(before, limits(LONGEST_WAY, None, sought))
        self.node.stop()
        self.node.start()
        self.assertEqual(self.times.limits(self.who(1), sought), before)
        self.node.stop()
        path = Path(self.node.home) / "catalog.db"
        database = sqlite3.connect(path)
        database.execute("DROP TABLE audit_times")
        database.commit()
        database.close()
        open_catalog(path).close()
        self.node.start()
        self.assertEqual(self.times.limits(self.who(1), sought), limits(LONGEST_WAY, None, sought))

    def test_the_least_of_lately(self) -> None:
        """What was measured counts for one span to two; after a clock was set back, nothing does."""
        least = Least(5.0, 0.0).joined(7.0, 5, 10).joined(3.0, 9, 10)
        self.assertEqual([least.value(time, 10) for time in (9, 19, 20, -61)], [3.0, 3.0, None, None])
        least = least.joined(8.0, 12, 10)
        self.assertEqual([least.value(time, 10) for time in (12, 21, 22, 31, 32)], [3.0, 3.0, 8.0, 8.0, None])
        self.assertEqual(least.joined(9.0, 40, 10), Least(9.0, 40))
        self.assertEqual(least.joined(9.0, -1000, 10), Least(9.0, -1000))

    def test_what_is_allowed(self) -> None:
        """For 16 pieces of 2 MiB: what docs/decisions.md says, and the round trips of a relay that follow from it."""
        sought = [Sought(PieceRef(bytes(16), 0), 2 * 1024 * 1024)] * MOST_PIECES
        unknown, quick = limits(0.0, None, sought), limits(0.0, 0.008, sought)
        self.assertAlmostEqual(unknown.prompt, 0.66, 2)
        self.assertAlmostEqual(unknown.slow, 2.73, 2)
        self.assertAlmostEqual(quick.prompt, FLOOR + 0.04, 2)
        allowed = unknown.prompt, quick.prompt, unknown.prompt + LONGEST_WAY
        self.assertEqual([int(1000 * seconds / MOST_PIECES) for seconds in allowed], [41, 18, 72])
        said = [unknown.speed(seconds) for seconds in (0.6, 0.7, 2.8, None)]
        self.assertEqual(said, [Speed.PROMPT, Speed.SLOW, Speed.LATE, Speed.LATE])
