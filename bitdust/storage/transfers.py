"""Pieces on their way, by supplier, as the API shows them."""

from bitdust.storage.catalog.rows import Row
from bitdust.storage.core import Core


def transfers(core: Core) -> list[Row]:
    """A row for each supplier of my family: pieces on their way to it and from it."""
    rows: list[Row] = []
    family = core.ports.family()
    for supplier in family.seats if family is not None else ():
        if supplier is None:
            continue
        idurl, global_id = core.ports.names(supplier)
        outgoing = [
            {"packet_id": _piece(flight.piece.pack, flight.piece.index), "bytes_sent": flight.sent,
             "total_size": flight.size, "state": flight.state, "since": flight.since}
            for flight in core.queues.outgoing(supplier)
        ]  # fmt: skip
        incoming = [
            {"packet_id": _piece(one.piece.pack, one.piece.index), "bytes_received": one.received,
             "total_size": one.size, "state": one.state, "since": one.since}
            for one in core.fetcher.incoming(supplier)
        ]  # fmt: skip
        rows.append({"idurl": idurl, "global_id": global_id, "outgoing": outgoing, "incoming": incoming})
    return rows


def _piece(pack: bytes, index: int) -> str:
    return f"{pack.hex()}.{index}"
