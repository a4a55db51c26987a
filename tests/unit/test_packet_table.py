"""The packet's header with a capability, the rows of a node, and the page that shows them."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

import bitdust
from bitdust.assembly.packets import all_rows, main, page
from bitdust.automats.kernel.check import all_machines, package_root
from bitdust.automats.kernel.table import is_timer
from bitdust.peers.relations import Relations
from bitdust.transport.inbox import Inbox
from bitdust.wire.encoding import WireError
from bitdust.wire.packet import MAX_CAPABILITY, MOST_ITEMS, Command, Packet
from bitdust.wire.schema import Choice, Int, Optional, Struct
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


class PageTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.rows = all_rows(folder)

    def test_machines_and_events_exist(self) -> None:
        """Whatever a packet becomes is an event that stands in the table of that machine, and no timer."""
        known = {kind.name: kind.definition().events for kind in all_machines(package_root())}
        named = [row.becomes for row in self.rows if row.becomes is not None]
        self.assertIn(("family_member", "refresh"), named)
        for machine, event in named:
            self.assertIn(machine, known)
            self.assertIn(event, known[machine], machine)
            self.assertFalse(is_timer(event), machine)

    def test_what_a_row_admits_fits_into_a_packet(self) -> None:
        """The fields of a row have no more items than a header may have."""
        for row in self.rows:
            self.assertLessEqual(row.fields.items, MOST_ITEMS, row)

    def test_every_row_is_there_once(self) -> None:
        """The services of a node want each command and kind once, and only those of people are left for later."""
        names = [(row.command, row.kind) for row in self.rows]
        self.assertEqual(len(names), len(set(names)))
        inbox = Inbox(SimpleNamespace(world=None, registry=None, me=None), Relations(), lambda *_: False)
        for row in self.rows:
            inbox.add(row)
        self.assertEqual(len(inbox.rows()), len(self.rows))

    def test_the_page_is_fresh(self) -> None:
        """docs/packets.md shows the table as it is; ``--check`` says so, and names a page that is stale."""
        document = Path(bitdust.__file__).parent.parent / "docs" / "packets.md"
        self.assertEqual(document.read_text(), page(self.rows), "run: make packets")
        stale, said = Path(self.mktemp()), io.StringIO()
        self.patch(sys, "stderr", said)
        self.assertEqual(main([str(stale), "--check"]), 1)
        self.assertEqual((main([str(stale)]), main([str(stale), "--check"])), (0, 0))
        self.assertEqual(main(["a", "b"]), 2)
        self.assertIn("is stale", said.getvalue())

    def test_a_line(self) -> None:
        """A row shows its fields, the optional ones marked, its limit, its senders, and what it becomes."""
        fields = Struct({"kind": Choice(("talk",)), "after": Optional(Int())})
        who = Who.FRIEND | Who.MEMBER
        row = Row(Command.MESSAGE, "talk", fields, 2048, who, "test", lambda _: ack(), becomes=("talk", "heard"))
        line = page([row]).splitlines()[-1]
        becomes = "`heard` of [talk](automats/talk.md)"
        self.assertEqual(line, f"| Message | talk | `kind`, `after?` | 2 KB | FRIEND, MEMBER | {becomes} | test |")
