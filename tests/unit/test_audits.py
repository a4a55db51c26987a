"""Suppliers that lie about what they have: found out within one round, remembered, and made good."""

import itertools
import os
from pathlib import Path

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.checkup import judging
from bitdust.formats.proof import LeafProof, parse_proofs, to_bytes
from bitdust.storage.keeping.audit import sample
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.storage_kit import PeerFailed, Reply, network, random_file

SIZE = 300_000
HOUR = 3600.0


def paths(supplier) -> list[Path]:
    """The files of a supplier's pieces."""
    return [path for path in Path(supplier.shop.folder).rglob("*") if path.is_file() and len(path.name) > 32]


class AuditCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.node.settings.set("services/backups/block-size", 64 * 1024)
        self.data = random_file(self.base / "file", SIZE)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(1)

    @property
    def audits(self):
        return self.node.storage.core.audits

    def row(self, number: int) -> dict:
        return self.audits.row(self.around.suppliers[number].fingerprint)

    def round(self) -> None:
        """Everybody who is there is audited now."""
        self.audits.now()
        self.node.pass_time(8)

    def answers(self, number: int, change) -> None:
        """What a supplier answers to a question for proofs goes through a function: reply, fields -> reply."""
        supplier = self.around.suppliers[number]
        original = type(supplier).ask

        def ask(me, command, fields, payload, deadline):
            said = original(supplier, me, command, fields, payload, deadline)
            if command is Command.RETRIEVE and fields.get("kind") == "proof" and fields["pieces"]:
                said.addCallback(change, fields)
            return said

        supplier.ask = ask

    def missing(self) -> int:
        return self.node.pieces()["missing"]


class HonestTests(AuditCase):
    def test_a_round_is_passed(self) -> None:
        """Who has everything proves it, and is audited again in due time, spread by chance."""
        self.node.pass_time(1.5 * HOUR, 120)
        rows = [self.row(number) for number in range(4)]
        self.assertEqual([(row["standing"], row["passed"], row["failed"]) for row in rows], [("proven", 1, 0)] * 4)
        now, period = self.node.world.wall(), 24 * HOUR
        for row in rows:
            self.assertTrue(now < row["next"] < now + 1.25 * period, row)
        self.assertEqual(len({row["next"] for row in rows}), 4)
        self.node.pass_time(1.3 * period, 1200)
        self.assertEqual({self.row(number)["passed"] for number in range(4)}, {2})

    def test_it_costs_little(self) -> None:
        """A round of 32 pieces brings a leaf of each: not more than 64 KiB and its path."""
        sizes: list[int] = []

        def weigh(reply, fields):
            sizes.append(len(reply.payload))
            return reply

        self.answers(0, weigh)
        self.round()
        self.assertTrue(sizes)
        self.assertLess(sum(sizes), 33 * (64 * 1024 + 400))

    def test_who_is_away_or_busy_has_not_failed(self) -> None:
        """Absence and a busy disk cost nothing but another try; a supplier that comes late is asked then."""

        def busy(reply, fields):
            raise PeerFailed({"code": "busy", "text": "ask again"})

        self.answers(1, busy)
        self.around.suppliers[2].mode = "away"
        self.around.suppliers[3].mode = "frozen"
        self.round()
        self.node.pass_time(60)
        self.assertEqual([self.row(number)["failed"] for number in range(4)], [0] * 4)
        self.assertEqual([self.row(number)["passed"] for number in range(4)], [1, 0, 0, 0])
        del self.around.suppliers[1].ask
        self.around.suppliers[2].mode = self.around.suppliers[3].mode = "fine"
        self.node.storage.core.suppliers_changed()
        self.node.pass_time(2 * HOUR, 20)
        self.assertEqual([self.row(number)["passed"] for number in range(4)], [1] * 4)

    def test_who_cannot_answer_yet(self) -> None:
        """Who is there before its services answer is asked again within a minute, and then ever more rarely."""
        asked: list[float] = []

        def busy(reply, fields):
            asked.append(self.node.clock.seconds())
            raise PeerFailed({"code": "unknown-command", "text": "no service of this node answers Retrieve"})

        self.answers(1, busy)
        self.node.pass_time(3 * HOUR, 10)
        pauses = [later - sooner for sooner, later in itertools.pairwise(asked)]
        self.assertLess(pauses[0], 60)
        self.assertEqual(pauses[:3], sorted(pauses[:3]))
        self.assertGreaterEqual(min(pauses[2:]), 300)
        self.assertEqual(self.row(1)["failed"], 0)

    def test_no_audits(self) -> None:
        """With a period of 0 nobody is asked, and nobody is doubted."""
        self.node.settings.set("services/customer/audit-hours", 0)
        self.round()
        self.node.pass_time(96 * HOUR, 8 * HOUR)
        self.assertEqual((self.row(0)["standing"], self.row(0)["next"], self.audits.doubted()), ("off", None, set()))

    def test_pieces_are_chosen_evenly(self) -> None:
        """Every piece of a supplier has its turn, and none much more often than others."""
        core = self.node.storage.core
        who = self.around.suppliers[0].fingerprint

        def more(database) -> None:
            for _ in range(300):
                values = (os.urandom(16), "master", 1, 1000, b"", b"", b"", 1, 4, 4, 1, 0)
                database.execute(f"INSERT INTO packs VALUES({', '.join('?' * 12)})", values)
                database.execute("INSERT INTO pieces VALUES(?, 0, 500, 1, ?, NULL)", (values[0], who))

        self.node.wait(core.catalog.change(more))
        seen: dict = {}
        for _ in range(300):
            found = sample(core.catalog.read, who, 10, os.urandom)
            self.assertEqual(len({one.piece for one in found}), 10)
            for one in found:
                seen[one.piece] = seen.get(one.piece, 0) + 1
        self.assertGreater(len(seen), 295)
        self.assertLess(max(seen.values()), 40)


class TurnsTests(AuditCase):
    def test_one_question_after_the_other(self) -> None:
        """An audit, a list and a verification ask one supplier in turn, so that none of them finds it busy."""
        asked: list[int] = []
        most: list[int] = []

        def slowly(reply, fields):
            asked.append(1)
            most.append(len(asked))
            waiting: Deferred = Deferred()
            self.node.clock.callLater(0.2, lambda: (asked.pop(), waiting.callback(reply)))
            return waiting

        self.answers(0, slowly)
        core = self.node.storage.core
        self.audits.now()
        jobs = [core.verifications.start(self.node.storage.find("file"), full) for full in (False, True)]
        for job in jobs:
            found = self.node.wait(job.completion, 60)
            self.assertEqual([row["silent"] for row in found["suppliers"]], [0] * 4)
        self.assertEqual(max(most), 1)
        self.assertEqual(self.row(0)["passed"], 1)

    def test_another_customer_has_its_turn(self) -> None:
        """A supplier that is busy for a moment is asked again, and then for a while no more."""
        left = [2]

        def busy(reply, fields):
            left[0] -= 1
            if left[0] >= 0:
                raise PeerFailed({"code": "busy", "text": "later"})
            return reply

        self.answers(0, busy)
        storage = self.node.storage
        for tries, silent in ((2, False), (20, True)):
            left[0] = tries
            job = storage.core.verifications.start(storage.find("file"), False)
            rows = self.node.wait(job.completion, 60)["suppliers"]
            self.assertEqual(bool(rows[0]["silent"]), silent)


class LyingTests(AuditCase):
    def found_out(self, number: int, **wanted) -> None:
        row = self.row(number)
        self.assertEqual({name: row[name] for name in wanted}, wanted)
        event = self.node.events_of("supplier-audit-failed")[-1]
        self.assertGreater(event["missing"] + event["wrong"], 0)

    def test_who_threw_everything_away(self) -> None:
        """A supplier that unlinked every piece is found out within one round; all of it is made again elsewhere."""
        liar = self.around.suppliers[2]
        gone = liar.throw_away()
        self.round()
        self.found_out(2, standing="failed", failed=1, bad_pieces=gone)
        self.node.pass_time(1800, 5)
        self.assertEqual((liar.pieces(), self.missing()), (gone, 0))
        self.assertEqual((self.row(2)["standing"], self.row(2)["failed_in_a_row"]), ("proven", 0))

    def test_who_keeps_half_of_each_piece(self) -> None:
        """Half of every file is not enough: what is left of it is admitted, or is no proof."""
        for path in paths(self.around.suppliers[1]):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        self.round()
        self.found_out(1, standing="failed")

    def test_wrong_answers(self) -> None:
        """A forged leaf, a forged path, one proof too few, another chain and plain noise are all failures."""

        def changed(one: LeafProof, **new) -> LeafProof:
            return LeafProof(**({"leaf": one.leaf, "path": one.path} | new))

        def each(change):
            def lie(reply, fields):
                return Reply(reply.fields, to_bytes([change(one) for one in parse_proofs(reply.payload)]))

            return lie

        lies = (
            each(lambda one: changed(one, leaf=bytes([one.leaf[0] ^ 1]) + one.leaf[1:])),
            each(lambda one: changed(one, leaf=one.leaf[:-1])),
            each(lambda one: changed(one, path=(*one.path, bytes(32)))),
            lambda reply, fields: Reply(reply.fields, to_bytes(parse_proofs(reply.payload)[1:])),
            lambda reply, fields: Reply({**reply.fields, "chain": bytes(32)}, reply.payload),
            lambda reply, fields: Reply({"kind": "proof"}, reply.payload),
            lambda reply, fields: Reply(reply.fields, os.urandom(1000)),
        )  # fmt: skip
        for count, lie in enumerate(lies, 1):
            self.answers(3, lie)
            self.round()
            self.assertEqual(self.row(3)["failed"], count)
            del self.around.suppliers[3].ask
            self.node.pass_time(120, 1)
            self.assertEqual(self.missing(), 0)

    def test_an_old_answer_again(self) -> None:
        """An answer that was good for an earlier question is none for this one."""
        kept: list[Reply] = []

        def replay(reply, fields):
            kept.append(reply)
            return kept[0]

        self.answers(0, replay)
        self.round()
        self.assertEqual((self.row(0)["passed"], self.row(0)["failed"]), (1, 0))
        self.round()
        self.found_out(0, passed=1, failed=1)

    def test_an_answer_without_end(self) -> None:
        """A supplier whose answer is larger than any proof has failed."""

        def endless(reply, fields):
            raise BitDustError("too-large", "more than was asked for")

        self.answers(0, endless)
        self.round()
        self.assertEqual((self.row(0)["failed"], self.row(0)["standing"]), (1, "failed"))

    def test_a_slow_way(self) -> None:
        """Where a sign of life takes as long, a late answer proves nothing: neither passed nor failed, and tried again.

        Who is so slow all the time is overdue in the end, and its pieces do not count."""
        supplier = self.around.suppliers[1]
        original = type(supplier).ask

        def ask(me, command, fields, payload, deadline):
            waiting: Deferred = Deferred()
            said = original(supplier, me, command, fields, payload, deadline)
            self.node.clock.callLater(6 if command is Command.RETRIEVE else 0, said.chainDeferred, waiting)
            return waiting

        supplier.ask = ask
        for _ in range(4):
            self.audits.now()
            self.node.pass_time(15)
        self.assertEqual((self.row(1)["passed"], self.row(1)["failed"]), (0, 0))
        self.node.pass_time(80 * HOUR, HOUR)
        self.assertEqual((self.row(1)["standing"], self.row(0)["standing"]), ("overdue", "proven"))

    def test_going_away_in_time_saves_nobody(self) -> None:
        """Who failed with the first pieces and has no time for the next ones has failed all the same."""
        self.around.suppliers[2].throw_away()
        asked: list[int] = []

        def once(reply, fields):
            asked.append(1)
            if len(asked) > 1:
                raise PeerFailed({"code": "busy", "text": "later"})
            return reply

        self.node.settings.set("services/customer/audit-pieces", 1)
        self.answers(2, once)
        self.round()
        self.assertEqual((len(asked), self.row(2)["failed"]), (2, 1))

    def test_what_is_deleted_meanwhile(self) -> None:
        """A piece of a pack that was deleted while its proof was asked for is nobody's fault."""

        def deleted(reply, fields):
            packs = [one["pack"] for one in fields["pieces"]]
            query = f"UPDATE packs SET state=2 WHERE pack IN ({', '.join('?' * len(packs))})"
            changing = self.node.storage.core.catalog.change(lambda database: database.execute(query, packs))
            nothing = Reply(reply.fields, to_bytes([LeafProof(code="not-found")] * len(packs)))
            return changing.addCallback(lambda _: nothing)

        before = self.missing()
        self.answers(3, deleted)
        self.round()
        self.assertEqual((self.row(3)["failed"], self.row(3)["bad_pieces"], self.missing()), (0, 0, before))

    def test_what_is_remembered(self) -> None:
        """Failures in a row survive a restart; after three a supplier is not trusted, and whoever replaces it hears."""
        heard: list[bytes] = []
        self.audits.distrusted.connect(heard.append)
        self.answers(3, lambda reply, fields: succeed(Reply(reply.fields, b"")))
        for count in (1, 2):
            self.round()
            self.assertEqual((self.row(3)["failed_in_a_row"], heard), (count, []))
            self.node.pass_time(60, 1)
        self.node.stop()
        self.node.start()
        self.audits.distrusted.connect(heard.append)
        self.assertEqual(self.row(3)["failed_in_a_row"], 2)
        self.node.pass_time(60, 1)
        self.round()
        liar = self.around.suppliers[3].fingerprint
        self.assertEqual((self.row(3)["failed_in_a_row"], heard), (3, [liar]))
        self.assertTrue(self.audits.is_distrusted(liar))
        self.node.stop()
        self.node.storage.distrusted.connect(heard.append)
        self.node.start()
        self.assertEqual(heard, [liar, liar])

    def test_how_many_are_enough(self) -> None:
        """The setting says after how many failures somebody else is asked for; with 0 nobody ever is."""
        heard: list[bytes] = []
        self.audits.distrusted.connect(heard.append)
        self.answers(3, lambda reply, fields: succeed(Reply(reply.fields, b"")))
        self.node.settings.set("services/employer/replace-after-failed-audits", 0)
        self.round()
        self.assertEqual((self.row(3)["failed_in_a_row"], heard), (1, []))
        self.node.pass_time(60, 1)
        self.node.settings.set("services/employer/replace-after-failed-audits", 2)
        self.round()
        self.assertEqual(heard, [self.around.suppliers[3].fingerprint])


class ListTests(AuditCase):
    """Of a supplier that says it has what nobody knew it had."""

    def forget(self) -> int:
        """As on a new machine: the logs name packs, and nothing is known of their pieces."""
        core = self.node.storage.core

        def forget(database) -> None:
            database.execute("DELETE FROM pieces")
            database.execute("UPDATE packs SET acked=0")

        self.node.wait(core.catalog.change(forget))
        return self.around.suppliers[0].pieces()

    def kept_by(self, number: int) -> int:
        return self.node.wait(self.node.storage.pieces_by_supplier()).get(self.around.suppliers[number].fingerprint, 0)

    def test_what_is_proved_counts(self) -> None:
        """After a recovery pieces count when their suppliers have proved some of them."""
        packs = self.forget()
        self.node.storage.core.monitor.sync()
        self.node.pass_time(10)
        self.assertEqual([self.kept_by(number) for number in range(4)], [packs] * 4)
        proofs = [one.asked.count((Command.RETRIEVE, "proof")) for one in self.around.suppliers]
        self.assertEqual(proofs, [1] * 4)

    def test_one_that_gives_no_list_yet(self) -> None:
        """One that is there and gives no list is asked again soon, and then ever more rarely; the others have listed
        theirs meanwhile."""
        supplier, asked = self.around.suppliers[1], list[float]()
        original = supplier.ask

        def ask(me, command, fields, payload, deadline):
            if command is not Command.LIST_FILES:
                return original(me, command, fields, payload, deadline)
            asked.append(self.node.clock.seconds())
            raise PeerFailed({"code": "unknown-command", "text": "no service of this node answers ListFiles"})

        supplier.ask = ask
        self.node.storage.core.monitor.sync()
        self.node.pass_time(3 * HOUR, 5)
        pauses = [later - sooner for sooner, later in itertools.pairwise(asked)]
        self.assertLess(pauses[0], 40)
        self.assertEqual(pauses[:3], sorted(pauses[:3]))
        self.assertGreaterEqual(min(pauses[3:]), 600)
        self.assertLess(len(asked), 24)

    def test_a_list_of_what_is_gone(self) -> None:
        """A supplier that lists everything and has nothing is not believed, and its pieces are made again."""
        packs = self.forget()
        liar = self.around.suppliers[1]
        liar.throw_away()
        self.around.suppliers[2].mode = self.around.suppliers[3].mode = "away"
        self.node.storage.core.monitor.sync()
        self.node.pass_time(3)
        self.assertEqual(self.kept_by(0), packs)
        self.assertLess(self.kept_by(1), 2)
        self.around.suppliers[2].mode = self.around.suppliers[3].mode = "fine"
        self.node.storage.core.suppliers_changed()
        self.node.pass_time(60, 1)
        self.assertEqual((liar.pieces(), self.kept_by(1)), (packs, packs))

    def test_who_has_no_time_to_prove(self) -> None:
        """Nothing is known of the pieces of a supplier that is busy: none counts, and none is made again for that."""
        packs = self.forget()

        def busy(reply, fields):
            raise PeerFailed({"code": "busy", "text": "later"})

        self.answers(2, busy)
        self.node.storage.core.monitor.sync()
        self.node.pass_time(10)
        self.assertEqual((self.kept_by(2), self.kept_by(0), self.missing()), (0, packs, 0))
        del self.around.suppliers[2].ask
        self.node.storage.core.monitor.sync()
        self.node.pass_time(10)
        self.assertEqual(self.kept_by(2), packs)


class ReliableTests(AuditCase):
    """What the catalog's rows and figures say of pieces whose suppliers prove nothing."""

    def setUp(self) -> None:
        super().setUp()
        random_file(self.base / "folder" / "inside", SIZE)
        self.node.upload(self.base / "folder", "folder")
        self.node.pass_time(1)
        self.round()

    def version(self, path: str) -> dict:
        return self.node.info(path)["versions"][-1]

    def strike(self, *numbers: int) -> None:
        for number in numbers:
            self.audits.book.failed(self.around.suppliers[number].fingerprint)

    def newest(self):
        return self.node.wait(self.node.storage.safety())["reliable"]

    def test_pieces_of_who_failed_do_not_count(self) -> None:
        """Of files and folders alike: they are delivered, and not reliable; the share follows each supplier."""
        packs = self.version("folder/inside")["blocks"]
        for failed, reliable in ((0, "75%"), (1, "50%"), (2, "25%")):
            self.strike(failed)
            for path in ("file", "folder", "folder/inside"):
                version = self.version(path)
                found = (version["delivered"], version["reliable"], version["state"])
                self.assertEqual(found, ("100%", reliable, "READY"))
            self.assertEqual(self.version("folder/inside")["doubted"], packs * (failed + 1))
            self.assertEqual(self.version("file")["weak_block"], 3 - failed)
            (row,) = [row for row in self.node.rows() if row["path"] == "file"]
            self.assertEqual(row["versions"][-1]["reliable"], reliable)

    def test_the_newest_whole_version(self) -> None:
        """For the doctor nothing is whole at suppliers of which one has failed; one that is away changes nothing."""
        self.assertIsNotNone(self.newest())
        self.around.suppliers[0].mode = "away"
        self.node.clock.advance(80 * HOUR)
        self.assertEqual((self.row(0)["standing"], self.version("file")["reliable"]), ("overdue", "75%"))
        self.assertIsNotNone(self.newest())
        self.strike(1)
        self.assertIsNone(self.newest())

    def test_a_proof_makes_it_good(self) -> None:
        """Once a supplier has passed again, its pieces count again."""
        self.strike(1)
        self.assertEqual(self.version("folder")["reliable"], "75%")
        self.round()
        self.assertEqual((self.version("folder")["reliable"], self.version("folder")["doubted"]), ("100%", 0))

    def test_a_clock_that_jumps(self) -> None:
        """A clock set a year ahead or back makes everybody due at once, and nobody guilty."""
        wall = self.node.world.wall
        for years in (1, -1):
            self.node.world.wall = self.audits.book._wall = self.audits.wall = lambda years=years: wall() + years * 3e7
            self.assertEqual(self.row(0)["standing"], "overdue")
            self.node.pass_time(700, 5)
            self.assertEqual((self.row(0)["standing"], self.row(0)["failed"]), ("proven", 0))

    def test_the_doctor(self) -> None:
        """It names who failed and how often, warns of who is overdue, and says nothing where there are no audits."""

        def row(name: str, standing: str, times: int = 0) -> dict:
            return {"global_id": name, "idurl": "", "fingerprint": "00" * 32,
                    "audit": {"standing": standing, "failed_in_a_row": times}}  # fmt: skip

        found = judging.audits([row("a", "proven"), row("b", "failed", 2), row("c", "overdue")])
        self.assertEqual([finding.verdict for finding in found], ["bad", "warn"])
        self.assertIn("b (2 times in a row)", found[0].found)
        self.assertIn("c", found[1].found)
        self.assertEqual([finding.verdict for finding in judging.audits([row("a", "proven")])], ["ok"])
        self.assertEqual(judging.audits([row("a", "off"), row("b", "off") | {"audit": None}]), [])
