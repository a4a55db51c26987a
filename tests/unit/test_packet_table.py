"""The packet's header with a capability, and the commands that wait for their rooms."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.wire.encoding import WireError
from bitdust.wire.packet import MAX_CAPABILITY, Command, Packet
from bitdust.wire.table import NO_FIELDS, Row, Who, ack, fail

PACKET = Packet(Command.RETRIEVE, b"i" * 16, b"c" * 32, b"o" * 32, b"t" * 32, 1, {"kind": "piece"})


class HeaderTests(SynchronousTestCase):
    def test_a_capability_travels(self) -> None:
        """A header keeps its capability, and has no such field without one."""
        shown = evolve(PACKET, capability=b"signed by the owner")
        self.assertEqual(Packet.from_bytes(shown.to_bytes()), shown)
        self.assertEqual(Packet.from_bytes(PACKET.to_bytes()), PACKET)
        self.assertNotIn(b"capability", PACKET.to_bytes())

    def test_limits_of_a_capability(self) -> None:
        """An empty capability and one that is too long are refused."""
        for capability in (b"", bytes(MAX_CAPABILITY + 1)):
            data = evolve(PACKET, capability=capability).to_bytes()
            self.assertEqual(self.assertRaises(WireError, Packet.from_bytes, data).code, "bad-field")

    def test_commands_of_people(self) -> None:
        """Message, Key and Event are commands of the wire."""
        for command in (Command.MESSAGE, Command.KEY, Command.EVENT):
            self.assertIs(Packet.from_bytes(evolve(PACKET, command=command).to_bytes()).command, command)


class RowTests(SynchronousTestCase):
    def test_answers(self) -> None:
        """An acknowledgement and a refusal, the latter with a code and text of bounded length."""
        self.assertEqual((ack(used=1).command, dict(ack(used=1).fields)), (Command.ACK, {"used": 1}))
        refusal = fail("c" * 99, "t" * 999, more=1)
        self.assertEqual(refusal.command, Command.FAIL)
        self.assertEqual(dict(refusal.fields), {"code": "c" * 40, "text": "t" * 500, "more": 1})

    def test_capability_and_authoriser_go_together(self) -> None:
        """A row that takes capabilities says who checks them, and one that does not has nothing to check."""
        row = (Command.RETRIEVE, None, NO_FIELDS, 0)
        self.assertRaises(ValueError, Row, *row, Who.OWNER | Who.CAPABILITY, "test", lambda request: ack())
        self.assertRaises(
            ValueError, Row, *row, Who.OWNER, "test", lambda request: ack(), authorise=lambda request: None
        )
