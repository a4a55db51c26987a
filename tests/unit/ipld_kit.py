"""What tests of the formats of IPFS share: vectors of another implementation, bytes, blocks, and refusals."""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bitdust.ipld.cid import Block, Cid
from bitdust.ipld.errors import FormatError

VECTORS = Path(__file__).parents[1] / "vectors"
LONGEST = 2_000_000


@cache
def vectors(name: str) -> Any:
    """A file of vectors; ``made_by`` in it names the packages that wrote them, and their versions."""
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


@cache
def _stream(seed: str) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(LONGEST)


def content(seed: str, length: int) -> bytes:
    """The bytes that the vectors were made of: SHAKE-256 of the seed."""
    return _stream(seed)[:length] if length <= LONGEST else hashlib.shake_256(seed.encode()).digest(length)


def pieces(data: bytes, size: int = 8192) -> Iterable[bytes]:
    """The bytes as they come from a client."""
    return (data[start : start + size] for start in range(0, len(data), size))


def digest(blocks: Iterable[Block]) -> tuple[int, str]:
    """How many different blocks these are, and a digest of their multihashes."""
    names = sorted({block.cid.multihash.hex() for block in blocks})
    return len(names), hashlib.sha256("\n".join(names).encode()).hexdigest()


class Blocks(dict[bytes, bytes]):
    """A store in memory, which refuses what does not hash to its name."""

    def put(self, blocks: Iterable[Block]) -> None:
        """Keep them."""
        for block in blocks:
            if not block.cid.matches(block.data):
                raise AssertionError(f"{block.cid} is not the name of its bytes")
            self[block.cid.multihash] = block.data

    def get_block(self, cid: Cid) -> bytes:
        """The bytes of a block, which is there."""
        return self[cid.multihash]


class FormatCase(SynchronousTestCase):
    """Refusals have codes."""

    def refused(self, code: str, call: object, *args: object, **named: object) -> None:
        """The call is refused with that code."""
        self.assertEqual(self.assertRaises(FormatError, call, *args, **named).code, code)
