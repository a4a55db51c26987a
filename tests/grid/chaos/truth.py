"""What disks really hold: read from outside, whoever runs or does not, and compared with what was reported."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from attrs import frozen

from bitdust.crypt.merkle import root
from bitdust.customers.names import PieceName
from bitdust.replication import members
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.wire.records import Family, PackRecord
from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.nodes import ChaosNode


@frozen
class Pack:
    """What an owner's catalog says of a pack: its record, and who has acknowledged which piece."""

    record: PackRecord
    acknowledged: dict[int, bytes]


class Truth:
    """I look at disks."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self._seen: dict[tuple[str, PieceName, int, int], bool] = {}

    @contextmanager
    def _database(self, path: Path) -> Iterator[sqlite3.Connection | None]:
        if not path.exists():
            yield None
            return
        with self.field.disks.outside(), closing(sqlite3.connect(path, isolation_level=None)) as database:
            try:
                yield database
            except sqlite3.DatabaseError:
                yield None

    def packs(self, owner: ChaosNode) -> list[Pack]:
        """All packs that an owner's catalog counts on."""
        with self._database(owner.home / "catalog.db") as database:
            if database is None:
                return []
            found = database.execute("SELECT record FROM packs WHERE state<=?", (PackState.HELD,)).fetchall()
            rows = database.execute(
                "SELECT pack, number, supplier FROM pieces WHERE state=? AND supplier IS NOT NULL", (PieceState.KEPT,)
            ).fetchall()
        acknowledged: dict[bytes, dict[int, bytes]] = {}
        for pack, number, supplier in rows:
            acknowledged.setdefault(bytes(pack), {})[number] = bytes(supplier)
        records = [PackRecord.from_body(bytes(body)) for (body,) in found]
        return [Pack(record, acknowledged.get(record.pack, {})) for record in records]

    def holds(self, supplier: ChaosNode, record: PackRecord, number: int) -> bool:
        """Whether the bytes of a piece are on a supplier's disk, with the row without which it gives them to nobody."""
        name = PieceName(record.owner, record.pack, number)
        with self._database(supplier.home / "customers.db") as database:
            if database is None:
                return False
            key = "customer=? AND pack=? AND number=?"
            known = database.execute(f"SELECT 1 FROM pieces WHERE {key}", name.key).fetchone()
            small = database.execute(f"SELECT data FROM small WHERE {key}", name.key).fetchone()
        if known is None:
            return False
        if small is not None:
            return root(bytes(small[0])) == record.roots[number]
        path = name.path(supplier.home / "customers")
        if not path.exists():
            return False
        stamp = (supplier.name, name, path.stat().st_mtime_ns, path.stat().st_size)
        if stamp not in self._seen:
            self._seen[stamp] = root(path.read_bytes()) == record.roots[number]
        return self._seen[stamp]

    def log_ends(self, node: ChaosNode, owner: bytes) -> dict[bytes, int]:
        """How far the log of each device of an owner is on a supplier's disk."""
        with self._database(node.home / "customers.db") as database:
            if database is None:
                return {}
            rows = database.execute(
                "SELECT device, max(sequence) FROM log WHERE customer=? GROUP BY device", (owner,)
            ).fetchall()
        return {bytes(device): end for device, end in rows}

    def has_ring(self, node: ChaosNode, owner: bytes) -> bool:
        """Whether a supplier has a key ring of an owner."""
        with self._database(node.home / "customers.db") as database:
            query = "SELECT 1 FROM records WHERE customer=? AND kind='keyring'"
            return database is not None and database.execute(query, (owner,)).fetchone() is not None

    def family(self, owner: ChaosNode) -> Family | None:
        """As the owner's node knew it last."""
        current: Family | None = owner.rooms.suppliers.family.current
        return current

    def suppliers(self, owner: ChaosNode) -> dict[bytes, ChaosNode]:
        """Members of an owner's family."""
        nodes = {node.fingerprint: node for node in self.field.suppliers.values() if node.has_identity}
        return {who: nodes[who] for who in members(self.family(owner)) if who in nodes}

    def lacking(self, owner: ChaosNode, supplier: ChaosNode) -> list[str]:
        """What a member of the family should have and has not."""
        family, who = self.family(owner), owner.fingerprint
        if family is None or supplier.fingerprint not in family.suppliers:
            return []
        place = family.suppliers.index(supplier.fingerprint)
        found = [
            f"piece {place} of {pack.record.pack.hex()[:8]}"
            for pack in self.packs(owner)
            if place < pack.record.scheme.n and not self.holds(supplier, pack.record, place)
            and self.can_be_made(owner, pack.record)
        ]
        if not self.has_ring(supplier, who):
            found.append("the key ring")
        ends = self.log_ends(supplier, who)
        if any(ends.get(device, 0) < end for device, end in self.own_ends(owner).items()):
            found.append("log entries")
        return found

    def can_be_made(self, owner: ChaosNode, record: PackRecord) -> bool:
        """Whether enough pieces of a pack are anywhere, or one still waits at its owner. A home that was lost amid an
        upload leaves packs of which most suppliers have never heard."""
        with self._database(owner.home / "catalog.db") as database:
            query = "SELECT 1 FROM pieces WHERE pack=? AND data IS NOT NULL"
            waits = database is not None and database.execute(query, (record.pack,)).fetchone() is not None
        if waits or any((owner.home / "spool").glob(f"{record.pack.hex()}.*")):
            return True
        nodes = list(self.field.suppliers.values())
        found = [number for number in range(record.scheme.n) if any(self.holds(node, record, number) for node in nodes)]
        return len(found) >= record.scheme.k

    def check_named(self, owner: ChaosNode) -> None:
        """Every pack that a living version names is in the log, or a recovery would not know it. Raises `Finding`."""
        with self._database(owner.home / "catalog.db") as database:
            query = (
                "SELECT w.path, w.version, v.pack FROM version_packs v JOIN versions w USING(path, version)"
                " LEFT JOIN packs p ON p.pack=v.pack WHERE w.dead=0 AND coalesce(p.logged, 0)=0"
            )
            found = [] if database is None else database.execute(query).fetchall()
        if found:
            raise Finding(f"a version of {owner.name} names a pack that no log knows: {found[0]}")

    def own_ends(self, owner: ChaosNode) -> dict[bytes, int]:
        """How far each log is in an owner's own catalog, of those that no snapshot stands for."""
        return self._ends(owner, "SELECT device, max(sequence) FROM entries GROUP BY device")

    def all_ends(self, owner: ChaosNode) -> dict[bytes, int]:
        """The same with those of which a snapshot tells."""
        both = "SELECT device, sequence FROM entries UNION SELECT device, sequence FROM bases"
        return self._ends(owner, f"SELECT device, max(sequence) FROM ({both}) GROUP BY device")

    def _ends(self, owner: ChaosNode, query: str) -> dict[bytes, int]:
        with self._database(owner.home / "catalog.db") as database:
            if database is None:
                return {}
            return {bytes(device): end for device, end in database.execute(query)}

    def good(self, owner: ChaosNode, pack: Pack, without: set[str]) -> int:
        """How many pieces of a pack are on the disks of suppliers other than these, where the owner looks for them."""
        suppliers = self.suppliers(owner)
        places = list(enumerate(members(self.family(owner))))
        n = pack.record.scheme.n
        named = {(number, who) for number, who in [*places, *pack.acknowledged.items()] if number < n}
        numbers = {
            number
            for number, who in named
            if who in suppliers and suppliers[who].name not in without
            and self.holds(suppliers[who], pack.record, number)
        }
        return len(numbers)

    def check_acknowledged(self, owner: ChaosNode, damaged: set[str]) -> None:
        """What an undamaged supplier has acknowledged is on its disk. Raises `Finding`."""
        suppliers = self.suppliers(owner)
        for pack in self.packs(owner):
            for number, who in pack.acknowledged.items():
                node = suppliers.get(who)
                if node is not None and node.name not in damaged and not self.holds(node, pack.record, number):
                    name = f"piece {number} of {pack.record.pack.hex()[:8]}"
                    raise Finding(f"{node.name} has acknowledged {name} of {owner.name}, and it is not on its disk")
