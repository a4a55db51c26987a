"""Writes the packet table: every row that a service adds, who may send it, and the machine's event that it becomes.

``python -m bitdust.assembly.packets docs/packets.md`` writes the page; with ``--check`` it writes nothing and ends with
1 when the page is stale. The same rows give the same bytes.
"""

import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock

from bitdust.assembly.assembly import Assembly, all_services
from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.config.home import prepare_home
from bitdust.config.settings import Settings
from bitdust.events import Events
from bitdust.wire.schema import Optional, Schema, Struct
from bitdust.wire.sizes import in_words
from bitdust.wire.table import Row
from bitdust.world import ReactorNetwork, World

USAGE = "usage: python -m bitdust.assembly.packets PAGE [--check]\n"
INTRODUCTION = """\
# The packet table

{count} rows. Each is added by its service when that starts and removed when it stops (`make packets` writes this page;
`make docs` fails when it is stale). A packet that fits no row, no sender or no field is answered Fail with a code; what
the fields and answers mean stands in [formats](formats.md). Every packet is a [packet_in](automats/packet_in.md) here
and a [packet_out](automats/packet_out.md) at its sender, whose event `answer` the answer becomes. *becomes* names the
machine and the event that come of it besides; the other rows are answered by their handler alone.

Who may send it: `ANYONE` who proved a key; `OWNER`, the owner of what is asked for; `SUPPLIER`, `CUSTOMER`, `FRIEND`,
`MEMBER`, `DEVICE`, a peer with that role for this node, speaking for itself; `CAPABILITY`, the holder of a capability
that the owner has signed.

| command | kind | fields | payload at most | who | becomes | service |
|---|---|---|---|---|---|---|
"""


def all_rows(home: Path) -> list[Row]:
    """The rows of all services, of a node in an empty home that is never started."""
    clock = Clock()
    world = World(clock, ReactorNetwork(None), home, run_in_thread=maybeDeferred)
    prepare_home(home)
    settings, events = Settings(home / "config"), Events(clock, time.time)
    assembly = Assembly(world, settings, events, Registry(clock, time.time), Budget())
    return [row for service in all_services(assembly.rooms) for row in service.packet_rows()]


def page(rows: Iterable[Row]) -> str:
    """The page, Markdown."""
    lines = sorted(_line(row) for row in rows)
    return INTRODUCTION.format(count=len(lines)) + "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    machine, event = row.becomes or ("", "")
    becomes = f"`{event}` of [{machine}](automats/{machine}.md)" if machine else "–"
    payload = in_words(row.max_payload) if row.max_payload else "–"
    who = ", ".join(str(one.name) for one in row.who)
    cells = (row.command, row.kind or "–", _fields(row.fields), payload, who, becomes, row.service)
    return f"| {' | '.join(cells)} |"


def _fields(schema: Schema) -> str:
    fields = schema.fields if isinstance(schema, Struct) else {}
    names = [name + ("?" if isinstance(kind, Optional) else "") for name, kind in fields.items()]
    return ", ".join(f"`{name}`" for name in names) or "–"


def main(arguments: list[str]) -> int:
    """Write or check the page."""
    if not arguments or arguments[1:] not in ([], ["--check"]):
        sys.stderr.write(USAGE)
        return 2
    path = Path(arguments[0])
    with tempfile.TemporaryDirectory() as folder:
        text = page(all_rows(Path(folder)))
    if arguments[1:]:
        stale = not path.exists() or path.read_text() != text
        if stale:
            sys.stderr.write(f"{path} is stale: make packets\n")
        return int(stale)
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
