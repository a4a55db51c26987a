"""A supplier that answers packets of the log with lies, or with nonsense: the customer believes only what it says."""

from typing import Any

from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.wire.packet import Command
from tests.unit.kit import Reply
from tests.unit.storage_kit import PeerFailed, network, random_file

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
