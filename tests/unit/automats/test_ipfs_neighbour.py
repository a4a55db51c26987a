"""Rows of ipfs_neighbour."""

from bitdust.automats.ipfs_neighbour import IpfsNeighbour, IpfsNeighbourPort
from tests.unit.automats.kit import RowTests


class IpfsNeighbourTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(IpfsNeighbourPort, is_stale=False, has_next=False, is_refusal=False)
        self.begin()

    def begin(self) -> None:
        self.machine = IpfsNeighbour(self.registry, "host:1", self.port)

    def greeting(self) -> None:
        self.drive("start", None, "GREETING", ("greet",))

    def idle(self) -> None:
        self.greeting()
        self.port.succeed("greet")
        self.asked("IDLE")

    def sending(self) -> None:
        self.idle()
        self.drive("queued", None, "SENDING", ("send",))

    def paused(self) -> None:
        self.greeting()
        self.port.fail("greet")
        self.asked("PAUSED")

    def test_topics_change(self) -> None:
        """Topics that change are told, also those that change while others are told or a message goes."""
        self.idle()
        self.drive("changed", None, "GREETING", ("greet",))
        self.port.answers["is_stale"] = True
        self.clock.advance(29)
        self.port.succeed("greet")
        self.asked("GREETING", ("greet",))
        self.clock.advance(29)
        self.port.answers |= {"is_stale": False, "has_next": True}
        self.port.succeed("greet")
        self.asked("SENDING", ("send",))
        self.port.answers["is_stale"] = True
        self.port.succeed("send")
        self.asked("GREETING", ("greet",))

    def test_one_after_the_other(self) -> None:
        """Messages go one after the other, each with a time of its own."""
        self.sending()
        self.port.answers["has_next"] = True
        self.clock.advance(29)
        self.port.succeed("send")
        self.asked("SENDING", ("send",))
        self.clock.advance(29)
        self.port.answers["has_next"] = False
        self.port.succeed("send")
        self.asked("IDLE")

    def test_failures(self) -> None:
        """After a failure, or silence, it is greeted again five seconds later."""
        self.paused()
        self.passes(5, "GREETING", ("greet",))
        self.passes(30, "PAUSED")
        self.passes(5, "GREETING", ("greet",))
        self.port.succeed("greet")
        self.asked("IDLE")
        self.drive("queued", None, "SENDING", ("send",))
        self.port.fail("send")
        self.asked("PAUSED")
        self.passes(5, "GREETING", ("greet",))
        self.port.succeed("greet")
        self.asked("IDLE")
        self.drive("queued", None, "SENDING", ("send",))
        self.passes(30, "PAUSED")

    def test_refusals(self) -> None:
        """Who wants no part in it is left."""
        self.greeting()
        self.port.answers["is_refusal"] = True
        self.port.fail("greet")
        self.assertEqual((self.machine.state, self.calls.pop()), ("GONE", ("leave",)))
        self.port.answers["is_refusal"] = False
        self.calls.clear()
        self.begin()
        self.sending()
        self.port.answers["is_refusal"] = True
        self.port.fail("send")
        self.assertEqual((self.machine.state, self.calls.pop()), ("GONE", ("leave",)))

    def test_stop(self) -> None:
        """It can be left anywhere."""
        self.ends("stop", "GONE", ("leave",))
        for enter in (self.greeting, self.idle, self.sending, self.paused):
            self.begin()
            enter()
            self.ends("stop", "GONE", ("leave",))
