"""From which address others see this node: whose word is taken, and whose is not."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.dht.contact import Contact
from bitdust.seen_address import ASKED, Seen, SeenAddress, judge
from bitdust.wire.errors import BitDustError
from tests.grid.test_friends import PeopleCase
from tests.unit.kit import Events

WORLD, HOME, LIE = ("9.9.9.9", 4000), ("192.168.1.5", 14441), ("8.8.8.8", 1)


def said(*answers: tuple[str, int]) -> Seen:
    return judge([((f"n{number}", 1), answer) for number, answer in enumerate(answers)])


class JudgementTests(SynchronousTestCase):
    def test_whom_to_believe(self) -> None:
        """One answer counts alone; of several what two say, an address of the world first, and then what most say."""
        self.assertEqual(said(HOME).address, HOME)
        self.assertEqual(said(WORLD, WORLD, LIE).address, WORLD)
        self.assertEqual(said(HOME, HOME, HOME, WORLD, WORLD, LIE).address, WORLD)
        self.assertEqual(said(HOME, HOME, HOME, LIE).address, HOME)
        self.assertEqual(said(LIE, WORLD, WORLD, WORLD, LIE).address, WORLD)

    def test_ports(self) -> None:
        """A router that shows another port to everybody is symmetric; one node that sees another one makes none."""
        host = WORLD[0]
        self.assertTrue(said((host, 1), (host, 2), (host, 3)).symmetric)
        mixed = said((host, 1), (host, 2), (host, 2))
        self.assertEqual((mixed.symmetric, mixed.address), (False, (host, 2)))
        self.assertFalse(said(WORLD).symmetric)


class AskingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.events = Clock(), Events()
        self.found: Any = succeed([self.contact(f"10.{number}.0.1") for number in range(3)])
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        around: Any = SimpleNamespace(
            world=SimpleNamespace(entropy=bytes), registry=Registry(self.clock), events=self.events
        )
        nodes: Any = SimpleNamespace(id=bytes(20), find_node=lambda ident: self.found)
        self.seen = SeenAddress(around, self, nodes)

    def contact(self, host: str) -> Any:
        return Contact(host.encode().ljust(32), host, 14441)

    def ask(self, address: tuple[str, int]) -> "Deferred[Any]":
        self.asked.append(address[0])
        answer = self.answers.get(address[0], WORLD)
        return answer if isinstance(answer, Deferred) else succeed(answer)

    def test_a_few_are_asked(self) -> None:
        """Some nodes of as many networks as there are; those that say nothing are left out."""
        crowd = [self.contact(f"4.4.4.{number}") for number in range(20)]
        self.found = succeed([*crowd, self.contact("1.1.1.1"), self.contact("2.2.2.2")])
        self.answers["2.2.2.2"] = fail(BitDustError("no-answer", "silence"))
        found = self.successResultOf(self.seen.find())
        self.assertEqual((found.address, len(found.answers), len(self.asked)), (WORLD, ASKED - 1, ASKED))
        self.assertTrue({"1.1.1.1", "2.2.2.2"} <= set(self.asked))

    def test_what_has_changed(self) -> None:
        """Another address than before is reported once."""
        for answer in (WORLD, WORLD, HOME):
            self.found = succeed([self.contact("2.2.2.2")])
            self.answers["2.2.2.2"] = answer
            self.successResultOf(self.seen.find())
        wanted = [{"old": "", "new": WORLD[0]}, {"old": WORLD[0], "new": HOME[0]}]
        self.assertEqual([data for _, data in self.events.sent], wanted)

    def test_nobody(self) -> None:
        """Where there is nobody, nobody answers, or the time is over, that is an error, and nothing is left."""
        silent = fail(BitDustError("no-answer", "silence"))
        for found, answers in (([], {}), ([self.contact("n")], {"n": silent})):
            self.found, self.answers = succeed(found), answers
            self.assertEqual(self.failureResultOf(self.seen.find(), BitDustError).value.code, "no-answer")
        self.found = Deferred()
        asking = self.seen.find()
        self.clock.advance(10)
        self.assertEqual(self.failureResultOf(asking, BitDustError).value.code, "no-answer")
        self.found = Deferred()
        asking = self.seen.find()
        asking.addErrback(lambda _: None)
        asking.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class WholeNodeTests(PeopleCase):
    def test_each_learns_its_own(self) -> None:
        """Two nodes ask the others, and each learns the address at which it is."""
        for node in (self.person("alice"), self.person("bob")):
            found = self.call(node, "network_stun", udp_port=8882)
            self.assertEqual((found["result"], found["ip"], found["port"]), ("stun-success", node.address, 14441))
            self.assertEqual(found["type"], "non-symmetric")
