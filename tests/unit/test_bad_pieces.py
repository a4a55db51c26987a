"""A piece that is not what was stored: missing from then on, reported, made again, and remembered of its supplier."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.keeping.losses import LossBook
from bitdust.wire.encoding import encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import PieceRef
from tests.unit.storage_kit import Reply, network, random_file

SIZE = 300_000


def rot(supplier) -> None:
    """Change the first byte of every piece on a supplier's disk, unnoticed by itself."""
    for path in Path(supplier.shop.folder).rglob("*"):
        if path.is_file() and len(path.name) > 32:
            data = path.read_bytes()
            path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


class BadPieceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.data = random_file(self.base / "file", SIZE)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(1)
        self.backs = 0

    def set_modes(self, *modes: str) -> None:
        for supplier, mode in zip(self.around.suppliers, modes, strict=True):
            supplier.mode = mode
        self.node.storage.core.suppliers_changed()

    def download(self) -> None:
        self.backs += 1
        target = self.base / f"back-{self.backs}"
        self.node.download("file", target)
        self.assertEqual((target / "file").read_bytes(), self.data)

    def reliable(self) -> str:
        return self.node.info("file")["versions"][0]["reliable"]

    def missing(self) -> int:
        return self.node.pieces()["missing"]

    def find_out(self, *bad: int) -> None:
        """Damage some suppliers' pieces, and read while nothing can be mended: one good supplier is not enough."""
        for index in bad:
            rot(self.around.suppliers[index])
        self.set_modes(*("fine" if index in bad else "away" for index in range(4)))
        self.assertRaises(BitDustError, self.download)

    def test_two_rotten_of_four_are_mended_before_one_more_leaves(self) -> None:
        """Pieces of two suppliers that read as something else are made again: the file outlives an honest one."""
        rot(self.around.suppliers[0])
        rot(self.around.suppliers[1])
        self.set_modes("fine", "fine", "fine", "away")
        self.assertRaises(BitDustError, self.download)
        self.set_modes("fine", "fine", "fine", "fine")
        self.node.pass_time(60)
        self.assertEqual((self.reliable(), self.missing()), ("100%", 0))
        self.set_modes("fine", "fine", "away", "away")
        self.download()

    def test_one_that_read_well_by_luck_is_mended_too(self) -> None:
        """A download that got what it needed all the same leaves the bad piece to be made again at once."""
        rot(self.around.suppliers[0])
        rot(self.around.suppliers[1])
        self.download()
        self.node.pass_time(20)
        self.assertEqual((self.reliable(), self.missing()), ("100%", 0))
        self.assertGreater(len(self.node.events_of("piece-bad")), 0)

    def test_figures_and_rows_follow(self) -> None:
        """A piece that was proved bad counts as missing in the rows of its version and in the figures."""
        self.find_out(0, 1)
        self.assertEqual((self.missing(), self.node.pieces()["acknowledged"]), (2, 2))
        (version,) = self.node.info("file")["versions"]
        self.assertEqual((version["reliable"], version["delivered"], version["state"]), ("50%", "50%", "SENDING"))

    def test_an_event_names_the_supplier(self) -> None:
        """Programs hear of each bad piece once: its pack, its number and whose it was."""
        self.find_out(0)
        (event,) = self.node.events_of("piece-bad")
        self.assertEqual((event["index"], len(event["pack"])), (0, 32))
        self.assertEqual(sorted(event), ["global_id", "idurl", "index", "pack"])

    def test_a_list_alone_proves_nothing(self) -> None:
        """A supplier that goes on listing a piece that it gave back bad is not believed."""
        self.find_out(0, 1)
        self.node.storage.core.monitor.sync()
        self.node.pass_time(5)
        self.assertEqual((self.missing(), self.reliable()), (2, "50%"))

    def test_sent_again_it_counts(self) -> None:
        """After the piece was made again and sent, the same supplier's acknowledgement and list count."""
        self.find_out(0, 1)
        self.set_modes("fine", "fine", "fine", "fine")
        self.node.pass_time(60)
        self.node.storage.core.monitor.sync()
        self.node.pass_time(5)
        self.assertEqual((self.missing(), self.reliable()), (0, "100%"))
        self.set_modes("fine", "fine", "away", "away")
        self.download()

    def test_distrust_survives_a_restart(self) -> None:
        """After a restart the others are asked first, and the bad piece is still missing."""
        self.find_out(0)
        self.set_modes("fine", "away", "away", "away")
        self.node.stop()
        self.node.start()
        core = self.node.storage.core
        self.assertEqual([core.bad_pieces.count(one.fingerprint) for one in self.around.suppliers], [1, 0, 0, 0])
        self.assertEqual(self.missing(), 1)
        self.set_modes("fine", "fine", "fine", "fine")
        before = self.around.suppliers[0].given
        self.download()
        self.assertEqual(self.around.suppliers[0].given, before)

    def test_a_piece_of_which_nothing_was_known(self) -> None:
        """On a node that only the log has told of a pack, a bad piece becomes missing all the same."""
        core = self.node.storage.core
        self.node.wait(core.catalog.change(lambda database: database.execute("DELETE FROM pieces")))
        self.find_out(0)
        self.assertEqual(self.missing(), 1)

    def test_what_waits_here_is_not_given_up_for_a_list(self) -> None:
        """A supplier that lists a piece which still waits for it gets it all the same: a list is a hint."""
        random_file(self.base / "other", SIZE)
        liar = self.around.suppliers[3]
        original = type(liar).ask
        held = self.node.storage.core.catalog.read

        def ask(me, command, fields, payload, deadline):
            if command is Command.LIST_FILES:
                rows = held.execute("SELECT pack, size FROM pieces WHERE number=3 ORDER BY pack").fetchall()
                return original(liar, me, command, fields, payload, deadline).addCallback(
                    lambda said: Reply({**said.fields, "more": False}, encode([[bytes(p), 3, s] for p, s in rows]))
                )
            return original(liar, me, command, fields, payload, deadline)

        liar.ask = ask
        liar.mode = "full"
        self.node.upload(self.base / "other", "other")
        self.node.storage.core.monitor.sync()
        self.node.pass_time(5)
        self.assertEqual(self.node.pieces()["waiting"], 1)
        liar.mode = "fine"
        self.node.pass_time(120)
        self.assertEqual((self.node.pieces()["waiting"], liar.pieces()), (0, 2))


class LossTests(SynchronousTestCase):
    """What a supplier says itself that it has lost."""

    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        random_file(self.base / "file", SIZE)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(1)
        self.who = self.around.suppliers[1].fingerprint
        self.distrusted: list[bytes] = []
        self.core.audits.distrusted.connect(self.distrusted.append)

    @property
    def core(self):
        return self.node.storage.core

    def pieces(self) -> list[PieceRef]:
        query = "SELECT pack, number FROM pieces WHERE supplier=? AND state=1"
        return [PieceRef(bytes(pack), number) for pack, number in self.core.catalog.read.execute(query, (self.who,))]

    def lose(self, days: float = 0) -> None:
        """After some days the supplier says that it has lost everything; it is made again and sent at once."""
        self.node.pass_time(days * 86_400, 43_200)
        found = self.pieces()
        self.assertTrue(found)
        self.node.wait(self.core.bad_pieces.admitted(self.who, found))
        self.node.pass_time(60)

    def replaced(self) -> bool:
        return self.core.audits.is_distrusted(self.who)

    def test_one_honest_loss(self) -> None:
        """A disk that died is reported in parts, for days, and costs its supplier nothing."""
        self.lose()
        for _ in range(9):
            self.core.world.clock.advance(86_400)
            self.core.bad_pieces.lost.emit(self.who, False)
        self.assertEqual((self.core.audits.book.blame(self.who), self.replaced()), (0, False))

    def test_the_same_again_and_again(self) -> None:
        """Whoever loses each day what it was given again is replaced after as many as failed audits would need."""
        self.lose()
        self.assertEqual(self.core.audits.book.losses.failures(self.who), 0)
        for expected in (1, 2, 3):
            self.lose(1.01)
            self.assertEqual(self.core.audits.book.losses.failures(self.who), expected)
        self.assertEqual((self.replaced(), self.distrusted[-1:]), (True, [self.who]))
        self.assertIn(self.who, self.core.audits.book.failing(3))
        self.node.stop()
        self.node.start()
        self.assertTrue(self.replaced())

    def test_a_loss_now_and_then(self) -> None:
        """Months between two losses are forgiven; losses of the same day count once."""
        losses = LossBook(self.core.catalog, lambda: self.wall)
        self.wall = 1_000_000_000.0
        for pause in (0, 8, 8, 0.1, 0.1, 8, 8):
            self.wall += pause * 86_400
            losses.note(self.who, False)
        self.assertEqual(losses.failures(self.who), 2)
        self.wall += 91 * 86_400
        self.assertEqual(losses.failures(self.who), 1)
        self.wall -= 400 * 86_400
        self.assertEqual(losses.failures(self.who), 2)
        losses.note(self.who, True)
        self.assertEqual(losses.failures(self.who), 2)

    def test_what_it_never_had(self) -> None:
        """A supplier that names what nobody gave it counts for nothing, for it or against it."""
        self.node.wait(self.core.bad_pieces.admitted(self.who, [PieceRef(b"n" * 16, 1)]))
        self.assertEqual(self.core.audits.book.losses.suppliers(), [])

    def test_no_turn_is_left_behind(self) -> None:
        """Who has answered is waited for no more."""
        prover = self.core.audits.prover
        self.node.wait(prover.measure(self.who))
        self.assertEqual(prover._turns._waiting, {})
