"""What is on its way: packets, pieces, sessions."""

from typing import Any

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.people import settled
from bitdust.api.table import Param, Route, method

PACKET = "{direction, command, packet_id, label, target, host, size, bytes_sent or bytes_received, …}"


@method(Route("GET", "/packet/list/v1", ("/pkt/l",)), returns=f"[{PACKET}]")
def packets_list(context: Context) -> Envelope:
    """Packets that are on their way now, out and in; none before there is an identity."""
    return listed([*context.gateway.outbox.packets(), *context.gateway.inbox.packets()])


@method(
    Route("GET", "/packet/stats/v1", ("/pkt/i",)),
    Route("GET", "/packet/info/v1"),
    service="gateway",
    returns="{in: {bytes, packets, <command>: count}, out: {…}}",
)
def packets_stats(context: Context) -> Envelope:
    """Bytes and packets since the start, by command."""
    return ok(context.gateway.traffic())


@method(
    Route("GET", "/transfer/list/v1", ("/tr/l",)),
    service="data_motion",
    returns="[{idurl, global_id, outgoing: [{packet_id, remote_path, …}], incoming: [{…}]}]",
)
async def transfers_list(context: Context) -> Envelope:
    """Pieces that go to suppliers and come from them, by supplier."""
    return listed(await settled(context.storage.transfers()))


@method(
    Route("GET", "/connection/list/v1", ("/con/l",)),
    params=(Param("protocols", Kind.LIST, [], ("wanted_protos",), "such as tcp,udp; all if left out"),),
    service="gateway",
    returns="[{status, state, proto, host, global_id, idurl, bytes_sent, bytes_received, since}]",
)
def connections_list(context: Context, protocols: list[str]) -> Envelope:
    """Sessions with other nodes."""
    rows = context.gateway.connections()
    return listed([row for row in rows if not protocols or row["proto"] in protocols])


@method(
    Route("GET", "/stream/list/v1", ("/str/l",)),
    params=(Param("protocols", Kind.LIST, [], ("wanted_protos",), "such as tcp; all if left out"),),
    service="gateway",
    returns="[{proto, stream_id, type: in or out, bytes_current, bytes_total, progress}]",
)
def streams_list(context: Context, protocols: list[str]) -> Envelope:
    """Payloads that are on their way now, with how far they are."""
    going = [
        _stream(item["proto"], row["packet_id"], "out", (item["bytes_sent"], item["size"]))
        for row in context.gateway.outbox.packets()
        for item in row["items"]
    ]
    coming = [
        _stream(row["proto"], row["packet_id"], "in", (row["bytes_received"], row["size"]))
        for row in context.gateway.inbox.packets()
    ]
    shown = [stream for stream in (*going, *coming) if not protocols or stream["proto"] in protocols]
    return listed([stream for stream in shown if stream["bytes_total"]])


def _stream(proto: str, ident: str, way: str, done: tuple[int, int]) -> dict[str, Any]:
    current, total = done
    progress = f"{100.0 * current / total:.0f}%" if total else "100%"
    row = {"proto": proto, "stream_id": ident, "type": way, "bytes_current": current, "bytes_total": total}
    return row | {"progress": progress}
