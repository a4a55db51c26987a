"""Which pieces of a customer are kept, page by page; those that wait to be deleted are not among them."""

import sqlite3

from attrs import frozen

from bitdust.customers.database import PieceCondition


@frozen
class Listed:
    """One page of a customer's pieces: ``(pack, number, bytes)``."""

    pieces: list[tuple[bytes, int, int]]
    more: bool


def list_pieces(
    database: sqlite3.Connection, customer: bytes, after: bytes, most: int, scope: bytes | None = None
) -> Listed:
    """See `bitdust.customers.store.SupplierStore.listing`."""
    one = "" if scope is None else " AND scope=x''" if scope == b"" else " AND scope<>x'' AND scope=:scope"
    rows = database.execute(
        f"SELECT pack, number, size FROM pieces WHERE customer=:customer AND pack>:after AND state=:kept{one}"
        " AND NOT EXISTS (SELECT 1 FROM condemned c WHERE c.customer=:customer AND c.pack=pieces.pack)"
        " ORDER BY pack, number LIMIT :most",
        {"customer": customer, "after": after, "kept": PieceCondition.KEPT, "most": most + 64, "scope": scope},
    ).fetchall()
    end = most
    while end < len(rows) and rows[end][0] == rows[end - 1][0]:
        end += 1
    return Listed(rows[:end], len(rows) > end)
