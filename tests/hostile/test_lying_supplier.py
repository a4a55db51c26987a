"""A supplier that answers packets of the log with lies, or with nonsense: the customer believes only what it says."""

import itertools
import os
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyring import MASTER, RingKey
from bitdust.formats.log_entry import LogName
from bitdust.storage.log.recovery import LogRecovery, Merged
from bitdust.storage.log.seen import SeenHead, read_head
from bitdust.wire.encoding import encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from tests.unit.kit import Reply
from tests.unit.storage_kit import PeerFailed, network, random_file
from tests.unit.supplier_kit import START, log_of, now
from tests.unit.test_catalog import open_catalog

NONSENSE: tuple[Any, ...] = (
    5,
    None,
    "all",
    {},
    [1],
    [[]],
    [{}],
    [{"pack": bytes(16)}],
    [{"pack": [], "index": 0, "code": "no-space"}],
    [{"pack": bytes(16), "index": {}, "code": "no-space"}],
    [{"pack": bytes(16), "index": 0, "code": 7}],
    [{"pack": bytes(16), "index": 0, "code": "x" * 41}],
    [{"pack": bytes(16), "index": 0, "code": "no-space"}] * 65,
)


class LogAnswerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.node.pass_time(2)
        self.liar = self.around.suppliers[0]
        self.answer: Any = None
        self.alone = 0
        send = self.node.send

        def lie(*arguments: Any, **options: Any) -> Any:
            if isinstance(arguments[0], str):
                return send(*arguments, **options)
            to, command, fields, *_ = arguments
            if to == self.liar.fingerprint and command is Command.DATA:
                self.alone += fields["kind"] == "piece"
                if fields["kind"] == "log" and self.answer is not None:
                    return self.answer()
            return send(*arguments, **options)

        self.node.send = lie

    def believed(self) -> int:
        """Up to which entry of my log the liar is believed to hold it."""
        (one,) = self.node.storage.core.log_replicas._logs.values()
        return one.holdings.at(self.liar.fingerprint, self.node.me.device.id)

    def test_nonsense_about_pieces(self) -> None:
        """Where the answer does not say which pieces were kept, each is sent by itself; no upload waits for ever."""
        for number, refused in enumerate(NONSENSE):
            self.answer = lambda refused=refused: succeed(Reply({"sequence": 1, "refused": refused}, b""))
            self.alone = 0
            random_file(self.base / f"file-{number}", 1000)
            self.node.upload(self.base / f"file-{number}", f"file-{number}")
            self.node.pass_time(2)
            self.assertEqual((number, self.alone), (number, 1))

    def test_nonsense_about_what_it_holds(self) -> None:
        """A number where the hash belongs is not taken for a wish for so many bytes, nor nothing for an empty log; the
        log comes when the supplier answers properly again."""
        self.node.create("first", True)
        self.node.pass_time(2)
        before = self.believed()
        self.assertGreater(before, 0)
        for told in (
            {"hash": 2**40},
            {"hash": 2**40, "sequence": 1},
            {"hash": "x", "sequence": 1},
            {"hash": bytes(32), "sequence": "one"},
            {"hash": bytes(32), "sequence": -1},
            {"hash": [0] * 10, "sequence": None},
            {"hash": 5, "sequence": 0},
            {},
        ):
            fields = {"code": "conflict", "text": "I hold something else", **told}
            self.answer = lambda fields=fields: fail(PeerFailed(fields))
            self.node.create(f"folder-{len(told)}-{told!s:.40}".replace("/", ""), True)
            self.node.pass_time(10)
            self.assertEqual((told, self.believed()), (told, before))
        self.answer = None
        self.node.pass_time(120)
        self.assertTrue(self.node.storage.core.log_replicas.is_held_by(self.liar.fingerprint))
        self.assertEqual(self.flushLoggedErrors(), [])

    def sends(self, answer: Callable[[], Any]) -> int:
        """How many packets of the log the liar gets in an hour of changes, of which each is answered so."""
        packets = 0

        def counted() -> Any:
            nonlocal packets
            packets += 1
            assert packets < 500, "the log is sent for ever"
            return answer()

        self.answer = counted
        for number in range(12):
            self.node.create(f"more-{number}", True)
            self.node.pass_time(300, 10.0)
        self.answer = None
        return packets

    def test_now_this_and_now_that(self) -> None:
        """A supplier that holds now nothing and now the first entry, as it says, is not sent the log for ever; it is
        brought all of it when it comes to reason."""
        self.node.create("first", True)
        self.node.pass_time(2)
        told = itertools.cycle([1, 0])
        core, device = self.node.storage.core, self.node.me.device.id
        [first] = core.catalog.read.execute("SELECT hash FROM entries WHERE device=? AND sequence=1", (device,))

        def alternate() -> Any:
            held = next(told)
            fields = {"sequence": held, "hash": bytes(first[0]) if held else bytes(32)}
            return fail(PeerFailed({"code": "conflict", "text": "I hold something else", **fields}))

        self.assertLess(self.sends(alternate), 20)
        self.node.pass_time(3700, 10.0)
        self.assertTrue(core.log_replicas.is_held_by(self.liar.fingerprint))

    def test_taken_and_denied(self) -> None:
        """So it is with one that denies with every entry that comes what it has acknowledged."""
        self.node.create("first", True)
        self.node.pass_time(2)
        told = itertools.cycle([False, True])

        def deny() -> Any:
            if next(told):
                return succeed(Reply({"sequence": 1, "refused": []}, b""))
            fields = {"sequence": 0, "hash": bytes(32)}
            return fail(PeerFailed({"code": "conflict", "text": "I hold nothing", **fields}))

        self.assertLess(self.sends(deny), 20)

    def test_another_ring_again_and_again(self) -> None:
        """One that refuses every key ring because it holds another one does not get it as fast as the line goes."""
        asked, ring = self.around.suppliers[0].ask, 0

        def refuse(me: Any, command: Command, fields: Any, payload: Any, deadline: float) -> Any:
            nonlocal ring
            if (command, fields.get("kind")) != (Command.DATA, "keyring"):
                return asked(me, command, fields, payload, deadline)
            ring += 1
            return fail(PeerFailed({"code": "conflict", "text": "another one"})) if ring < 500 else Deferred()

        self.around.suppliers[0].ask = refuse
        self.node.me.key_ring.add(RingKey("photos"))
        self.node.storage.core.key_ring_replicas.keys_changed()
        self.node.pass_time(300, 5.0)
        self.assertLess(ring, 20)
        self.assertTrue(self.node.storage.core.key_ring_replicas.synchronized)


class ListTests(SynchronousTestCase):
    def test_a_list_without_end(self) -> None:
        """Of a list of pieces that nobody has, whatever its length, nothing is kept but what the catalog knows."""
        base, around, node = network(self)
        random_file(base / "file", 1000)
        node.upload(base / "file", "file")
        node.pass_time(2)
        liar, send, pages = around.suppliers[0], node.send, 5
        [(pack,)] = node.storage.core.catalog.read.execute("SELECT pack FROM packs").fetchall()
        sizes: list[int] = []

        def lie(*arguments: Any, **options: Any) -> Any:
            if arguments[:2] != (liar.fingerprint, Command.LIST_FILES):
                return send(*arguments, **options)
            page = len(sizes)
            sizes.append(page)
            rows = [[bytes([page]) + number.to_bytes(15, "big"), 0, 10] for number in range(100)]
            rows = [[pack, number, 10] for number in (0, 2**40, -1) if not page] + rows
            return succeed(Reply({"more": page < pages - 1}, encode(rows)))

        node.send = lie
        held = now(Deferred.fromCoroutine(node.storage.core.inventory._list(liar.fingerprint)))
        self.assertEqual((len(sizes), held), (pages, {(pack, 0)}))


class RecoveryTests(SynchronousTestCase):
    """A catalog comes back from suppliers of which one lies."""

    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        for number in range(3):
            self.node.create(f"folder-{number}", True)
        self.node.pass_time(2)
        self.calls = 0

    def head(self, first: int | None) -> Head:
        """The true end of my log, as one that begins with entry ``first``."""
        me = self.node.me
        end = self.node.storage.core.catalog.end(MASTER, me.device.id)
        return Head(me.fingerprint, me.device.id, end.sequence, end.hash, START, first)

    def recover(self, answer: Callable[[int], list[bytes]], first: int | None, *lies: SeenHead) -> Merged:
        """Merge the log of a compaction that begins with entry ``first``; no lie is asked for without end."""
        logs, head = self.node.storage.core.log_writer.logs, self.head(first)

        def fetch(supplier: bytes, log: LogName, wanted: int) -> "Deferred[list[bytes]]":
            self.calls += 1
            return succeed(answer(wanted)) if self.calls < 50 else fail(BitDustError("no-answer", "enough"))

        recovery = LogRecovery(open_catalog(self), logs, MASTER, fetch)
        return now(Deferred.fromCoroutine(recovery.recover([*lies, SeenHead(head, b"liar", True, end=head.sequence)])))

    def entries(self, first: int) -> list[bytes]:
        """My entries as a supplier holds them."""
        store = self.around.suppliers[0].shop.store
        return log_of(store, self.node.me.fingerprint, self.node.me.device.id, first)

    def test_old_entries_again_and_again(self) -> None:
        """Who gives the first entry whatever is asked for is given up, and what lacks is named."""
        self.assertGreater(len(self.entries(1)), 2)
        merged = self.recover(lambda wanted: self.entries(1)[:1], 3)
        self.assertLess(self.calls, 10)
        self.assertEqual(len(merged.missing), 1)

    def test_entries_one_by_one(self) -> None:
        """Who gives one entry at a time is asked until all are there."""
        merged = self.recover(lambda wanted: self.entries(wanted)[:1], 1)
        self.assertEqual((merged.missing, self.calls), ([], len(self.entries(1))))

    def test_a_higher_head_that_is_not_proven(self) -> None:
        """A head that no device of mine has signed hides nothing, however high it is and wherever it begins."""
        logs, stranger = self.node.storage.core.log_writer.logs, DeviceKey.generate(os.urandom)
        invented = evolve(self.head(10**6), sequence=10**6 + 3, hash=bytes(32))
        lies = [SeenHead(invented, who, False, signer=stranger.id) for who in (b"liar", b"another")]
        merged = self.recover(self.entries, None, *lies)
        self.assertEqual((merged.missing, merged.entries), ([], len(self.entries(1))))
        told = evolve(invented, device=stranger.id)
        seen = read_head(stranger.sign_record(Head.KIND, told.to_body()).to_bytes(), logs, b"liar")
        self.assertFalse(seen is None or seen.proven)
        self.assertIsNone(read_head(stranger.sign_record(Head.KIND, invented.to_body()).to_bytes(), logs, b"liar"))
        self.assertEqual(self.recover(lambda wanted: [], None, *([] if seen is None else [seen])).missing[0].first, 1)
