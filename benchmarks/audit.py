"""What audits and scrubbing cost for each TB that is stored, and how soon a loss is found.

    python -m benchmarks audit --pieces 64 --stored-tb 1

Pieces of whole packs are written to the disk and proved as a supplier proves them, encoded, decoded and checked as a
customer checks them; no network. The figures of a day follow from that and from the settings' defaults.
"""

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from twisted.internet.defer import maybeDeferred

from bitdust.config.schema import default_schema
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.merkle import check_proof, leaves_of, root
from bitdust.crypt.possession import NONCE, LeafChain
from bitdust.customers.intake import Shelf
from bitdust.customers.names import PieceName
from bitdust.customers.proofs import Kept, Proofs
from bitdust.customers.scan import piece_is_whole
from bitdust.disk.disk import Disk
from bitdust.formats.proof import MOST_PIECES, parse_proofs, to_bytes
from bitdust.storage.keeping.audit_times import LONGEST_WAY, disk_time, limits
from bitdust.storage.keeping.prover import Sought
from bitdust.wire.records import PackRecord, PieceRef, Scheme
from bitdust.wire.signed import Signed

PACK, TB = 4 * 1024 * 1024, 1024**4
OWNER, SUPPLIER = b"o" * 32, b"s" * 32
SHARES = (1.0, 0.5, 0.1, 0.05, 0.01, 0.001)


def pieces(folder: Path, count: int, n: int) -> list[Kept]:
    """Pieces of so many packs, as a supplier keeps them."""
    device, scheme, made = DeviceKey.from_seed(bytes(32)), Scheme.for_family(n), []
    size = scheme.piece_size(PACK)
    for number in range(count):
        data = os.urandom(size)
        record = PackRecord(OWNER, hashlib.sha256(b"%d" % number).digest()[:16], PACK, scheme, [root(data)] * n)
        name = PieceName(OWNER, record.pack, 0)
        name.path(folder).parent.mkdir(parents=True, exist_ok=True)
        name.path(folder).write_bytes(data)
        signed = device.sign_record(record.KIND, record.to_body()).to_bytes()
        made.append(Kept(name, size, signed, None))
    os.sync()
    return made


def prove(proofs: Proofs, kept: Sequence[Kept]) -> tuple[int, float, float, float]:
    """One question: bytes of the answer, wall and CPU seconds of the supplier, CPU seconds of the customer."""
    nonce = os.urandom(NONCE)
    wall, cpu = time.perf_counter(), time.process_time()
    payload = to_bytes(proofs.walk(kept, LeafChain(nonce, OWNER, SUPPLIER)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    begin, chain = time.process_time(), LeafChain(nonce, OWNER, SUPPLIER)
    for piece, proof in zip(kept, parse_proofs(payload), strict=True):
        leaves, expected = leaves_of(piece.size), PackRecord.from_body(_body(piece)).roots[0]
        if not check_proof(proof.leaf, chain.leaf(leaves), leaves, list(proof.path), expected):
            raise SystemExit("a proof was wrong")
        chain.take(proof.leaf)
    return len(payload), wall, cpu, time.process_time() - begin


def _body(piece: Kept) -> bytes:
    return Signed.from_bytes(piece.signed, PackRecord.KIND).body


def found(share: float, asked: float) -> float:
    """The chance that a loss of a share of all pieces is found by so many questions."""
    return 1.0 - (1.0 - share) ** asked


def relays(size: int, wall: float) -> None:
    """Print what is allowed for a whole question about pieces of so many bytes, ``wall`` seconds each, and which round
    trip for a leaf, or rate for whole pieces, is too slow for that."""
    sought = [Sought(PieceRef(bytes(16), 0), size)] * MOST_PIECES
    unknown, known = limits(0.0, None, sought), limits(0.0, MOST_PIECES * wall / disk_time(sought), sought)
    bits = 8e-6 * size * MOST_PIECES
    print(f"a question of {MOST_PIECES}: {1e3 * MOST_PIECES * wall:.0f} ms; beside the way {unknown.prompt:.2f} s"
          f" are prompt, {known.prompt:.2f} s for who was as quick, and {unknown.slow:.2f} s slow")  # fmt: skip
    held = unknown.prompt + LONGEST_WAY
    for name, prompt in (("unknown", unknown.prompt), ("known", known.prompt), ("holds signs of life back", held)):
        twice = prompt + unknown.slow - unknown.prompt
        print(f"a relay is found out ({name}): from {1e3 * prompt / MOST_PIECES:.0f} ms a leaf on; whole pieces"
              f" below {bits / twice:.0f} Mbit/s, and to be asked once below {bits / prompt:.0f}")  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Measure, and print the figures of a day."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks audit")
    parser.add_argument("--pieces", type=int, default=64, help="pieces that are written and proved")
    parser.add_argument("--stored-tb", type=float, default=1.0, help="TB of sealed data")
    parser.add_argument("--suppliers", type=int, default=4)
    options = parser.parse_args(arguments)
    schema, n = default_schema(), options.suppliers
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        kept = pieces(folder, options.pieces, n)
        proofs = Proofs(Shelf(folder, Disk(), maybeDeferred, None), time.monotonic)
        runs = [prove(proofs, kept[start : start + MOST_PIECES]) for start in range(0, len(kept), MOST_PIECES)]
        begin = time.process_time()
        for piece in kept:
            piece_is_whole(Disk(), piece.name.path(folder), piece.size, PackRecord.from_body(_body(piece)).roots[0])
        hashing = (time.process_time() - begin) / sum(piece.size for piece in kept)
    size, wall, cpu, checking = (sum(run[i] for run in runs) / len(kept) for i in range(4))
    rounds = 24 * 3 / schema["services/customer/audit-hours"].default
    asked = schema["services/customer/audit-pieces"].default * rounds
    piece = kept[0].size
    packs = options.stored_tb * TB / PACK
    print(f"{options.stored_tb:g} TB in {packs:,.0f} packs at {n} suppliers, pieces of {piece / 2**20:.2f} MiB")
    print(f"one proof: {size / 1024:.1f} KiB; supplier {1e3 * wall:.2f} ms ({1e3 * cpu:.2f} ms CPU);"
          f" customer {1e3 * checking:.2f} ms CPU")  # fmt: skip
    print(f"a day, each supplier: {asked:.0f} proofs, {asked * size / 2**20:.2f} MiB sent, {asked:.0f} files and"
          f" {asked * piece / 2**20:.0f} MiB read, {asked * cpu:.3f} s CPU")  # fmt: skip
    print(f"a day, the customer: {n * asked * size / 2**20:.2f} MiB received, {n * asked * checking:.3f} s CPU")
    relays(piece, wall)
    print("found after      " + "".join(f"{days:>5} days" for days in (1, 3, 10, 30)))
    for share in SHARES:
        row = "".join(f"{100 * found(share, asked * days):9.1f}%" for days in (1, 3, 10, 30))
        print(f"{100 * share:6.1f} % lost   {row}")
    rate = schema["services/customer-patrol/scrub-rate"].default
    own = options.stored_tb * TB / Scheme.for_family(n).k
    print(f"scrubbing at {rate / 1024:.0f} KB/s: {own / 1e12:.2f} TB of a supplier in {own / rate / 86400:.1f} days,"
          f" {86400 * rate * hashing:.0f} s CPU and {86400 * rate / 2**30:.1f} GiB read a day")  # fmt: skip
    print(f"file verify of all of it: {n * packs * size / 2**30:.1f} GiB received, {100 * n * size / PACK:.1f} % of it")
    return 0
