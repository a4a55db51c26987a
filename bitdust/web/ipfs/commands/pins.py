"""Pins: what stays, alone or with all that is below it."""

from collections.abc import AsyncIterator

from bitdust.blocks.values import Mode, Pin, Unpin
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.cid import Cid
from bitdust.web.ipfs.arguments import BOOL, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import PATHS, content
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Lines, Row
from bitdust.wire.errors import BitDustError

ALL, DIRECT, INDIRECT, RECURSIVE = "all", "direct", "indirect", "recursive"
NAMES = {Mode.DIRECT: DIRECT, Mode.RECURSIVE: RECURSIVE}


async def add(room: IpfsRoom, call: Call) -> Answer:
    mode = Mode.RECURSIVE if call.options["recursive"] else Mode.DIRECT
    cids = [await content(room, text) for text in call.arguments["ipfs-path"]]
    lease = room.store.lease()
    try:
        for cid in cids:
            await (room.bring(cid) if mode is Mode.RECURSIVE else room.bring_one(cid))
            await lease.hold(cid)
        await room.pin(*(Pin(cid, mode) for cid in cids))
    finally:
        lease.end()
    return Json({"Pins": [str(cid) for cid in cids]})


async def remove(room: IpfsRoom, call: Call) -> Answer:
    cids = [await content(room, text) for text in call.arguments["ipfs-path"]]
    pins = [await _removable(room, cid, bool(call.options["recursive"])) for cid in dict.fromkeys(cids)]
    await room.store.apply(*(Unpin(pin.cid) for pin in pins))
    return Json({"Pins": [str(cid) for cid in cids]})


async def _removable(room: IpfsRoom, cid: Cid, recursive: bool) -> Pin:
    pin = await room.store.pin_of(cid)
    if pin is None:
        through = await room.store.pinned_through(cid)
        why = f"pinned indirectly under {through}" if through is not None else "not pinned or pinned indirectly"
        raise BitDustError("not-pinned", f"{cid} is {why}" if through else why)
    if pin.mode is Mode.RECURSIVE and not recursive:
        raise BitDustError("not-pinned", f"{cid} is pinned recursively")
    return pin


async def list_pins(room: IpfsRoom, call: Call) -> Answer:
    kind, paths = call.options["type"], call.arguments["ipfs-path"]
    if kind not in (ALL, DIRECT, INDIRECT, RECURSIVE):
        raise BadCall(f"invalid type '{kind[:100]}', must be one of {{direct, indirect, recursive, all}}")
    rows = _some(room, paths, kind) if paths else _every(room, kind)
    if call.options["stream"]:
        return Lines(rows)
    return Json({"Keys": {row["Cid"]: {"Type": row["Type"]} async for row in rows}})


async def _some(room: IpfsRoom, texts: list[str], kind: str) -> AsyncIterator[Row]:
    for text in texts:
        cid = await content(room, text)
        pin = await room.store.pin_of(cid)
        if pin is not None and kind in (ALL, NAMES[pin.mode]):
            yield {"Type": NAMES[pin.mode], "Cid": str(cid)}
            continue
        through = await room.store.pinned_through(cid) if kind in (ALL, INDIRECT) and pin is None else None
        if through is None:
            raise BitDustError("not-pinned", f"path '{text}' is not pinned")
        yield {"Type": f"indirect through {through}", "Cid": str(cid)}


async def _every(room: IpfsRoom, kind: str) -> AsyncIterator[Row]:
    mode = {DIRECT: Mode.DIRECT, RECURSIVE: Mode.RECURSIVE}.get(kind)
    if kind != INDIRECT:
        async for pin in room.pins(mode):
            yield {"Type": NAMES[pin.mode], "Cid": str(pin.cid)}
    if kind in (ALL, INDIRECT):
        async for cid in room.indirect():
            yield {"Type": INDIRECT, "Cid": str(cid)}


async def update(room: IpfsRoom, call: Call) -> Answer:
    before, after = [await content(room, call.arguments[name]) for name in ("from-path", "to-path")]
    pin = await room.store.pin_of(before)
    if pin is None or pin.mode is not Mode.RECURSIVE:
        raise BitDustError("not-pinned", "'from' cid was not recursively pinned already")
    if before != after:
        await room.bring(after)
        await room.pin(Pin(after, name=pin.name), *([Unpin(pin.cid)] if call.options["unpin"] else ()))
    return Json({"Pins": [f"/ipfs/{before}", f"/ipfs/{after}"]})


async def verify(room: IpfsRoom, call: Call) -> Answer:
    return Lines(_verified(room, bool(call.options["verbose"])))


async def _verified(room: IpfsRoom, verbose: bool) -> AsyncIterator[Row]:
    async for pin in room.pins(Mode.RECURSIVE):
        bad = await room.bad_below(pin.cid)
        if bad:
            yield {"Cid": str(pin.cid), "Ok": False, "BadNodes": [{"Cid": str(cid), "Err": why} for cid, why in bad]}
        elif verbose:
            yield {"Cid": str(pin.cid), "Ok": True}


_RECURSIVE = Option(("recursive", "r"), BOOL, default=True)
ROWS = (
    Command("pin/add", add, (PATHS,), (_RECURSIVE, Option(("progress",), BOOL, default=False))),
    Command("pin/rm", remove, (PATHS,), (_RECURSIVE,)),
    Command(
        "pin/ls",
        list_pins,
        (Argument("ipfs-path", required=False, variadic=True),),
        (
            Option(("type", "t"), default=ALL),
            Option(("quiet", "q"), BOOL, default=False),
            Option(("stream", "s"), BOOL, default=False),
        ),
    ),
    Command(
        "pin/update",
        update,
        (Argument("from-path"), Argument("to-path")),
        (Option(("unpin",), BOOL, default=True),),
    ),
    Command(
        "pin/verify",
        verify,
        options=(Option(("verbose",), BOOL, default=False), Option(("quiet", "q"), BOOL, default=False)),
    ),
)
