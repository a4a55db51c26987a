"""How the node is: bytes that went over sessions with peers, the machine it runs on, and its end."""

from collections.abc import AsyncIterator

from twisted.internet.task import deferLater

from bitdust.ipfs.machine_facts import machine_facts
from bitdust.ipfs.room import IpfsRoom
from bitdust.web.ipfs.arguments import BOOL, DURATION, Argument, BadCall, Option
from bitdust.web.ipfs.commands.node import VERSION
from bitdust.web.ipfs.table import Answer, Call, Command, Commands, Json, Lines, Row

SHORTEST_POLL = 0.1


async def bandwidth(room: IpfsRoom, call: Call) -> Answer:
    """Totals since the start. Rates are those of the time between two lines, and of one line there is none."""
    options = call.options
    if options["peer"] or options["proto"]:
        raise BadCall("bytes are counted for all peers and protocols together")
    if not options["poll"]:
        return Json(_row(*_totals(room), 0.0, 0.0))
    return Lines(_polled(room, max(SHORTEST_POLL, options["interval"])), live=True)


def _totals(room: IpfsRoom) -> tuple[int, int]:
    traffic = room.outside.traffic()
    return traffic["in"]["bytes"], traffic["out"]["bytes"]


def _row(received: int, sent: int, rate_in: float, rate_out: float) -> Row:
    return {"TotalIn": received, "TotalOut": sent, "RateIn": rate_in, "RateOut": rate_out}


async def _polled(room: IpfsRoom, seconds: float) -> AsyncIterator[Row]:
    clock = room.around.world.clock
    before, then = _totals(room), clock.seconds()
    yield _row(*before, 0.0, 0.0)
    while True:
        await deferLater(clock, seconds)
        now, passed = _totals(room), clock.seconds() - then
        yield _row(*now, *((new - old) / passed for new, old in zip(now, before, strict=True)))
        before, then = now, clock.seconds()


async def machine(room: IpfsRoom, call: Call) -> Answer:
    world = room.around.world
    facts = await room.in_thread(
        machine_facts, room.folder, world.network.interfaces(), room.outside.is_online(), VERSION
    )
    return Json(facts)


def of_calls(commands: Commands) -> list[Command]:
    """The commands that show who calls which now, and what was called a little while ago."""
    calls = commands.calls

    async def show(room: IpfsRoom, call: Call) -> Answer:
        world = room.around.world
        return Json(calls.shown(world.clock.seconds(), world.wall()))

    async def clear(room: IpfsRoom, call: Call) -> Answer:
        calls.clear()
        return None

    async def set_time(room: IpfsRoom, call: Call) -> Answer:
        try:
            calls.seconds = DURATION.read(call.arguments["time"])
        except ValueError:
            raise BadCall(f"{call.arguments['time'][:100]!r} is no duration such as 1h") from None
        return None

    return [
        Command("diag/cmds", show, options=(Option(("verbose", "v"), BOOL, default=False),)),
        Command("diag/cmds/clear", clear),
        Command("diag/cmds/set-time", set_time, (Argument("time"),)),
    ]


async def shutdown(room: IpfsRoom, call: Call) -> Answer:
    """IPFS is switched off, as `bitdust ipfs disable` does it; what else the node does for others goes on."""
    room.outside.stop()
    return None


ROWS = (
    Command(
        "stats/bw",
        bandwidth,
        options=(
            Option(("peer", "p")),
            Option(("proto", "t")),
            Option(("poll",), BOOL, default=False),
            Option(("interval", "i"), DURATION, default=1.0),
        ),
    ),
    Command("diag/sys", machine),
    Command("shutdown", shutdown),
)
