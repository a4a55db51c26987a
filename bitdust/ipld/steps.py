"""Work that needs blocks, without knowing where they are: a generator yields the CID it wants and is sent that block.

Who runs it decides whether it waits for a disk, a peer or nothing, and checks that the block is the one that was asked
for. A CID that holds its block is asked for like any other; `Cid.inline` is the answer.
"""

from collections.abc import Callable, Generator
from typing import TypeVar

from bitdust.ipld.cid import Cid

T = TypeVar("T")
Steps = Generator[Cid, bytes, T]


def run(steps: Steps[T], get: Callable[[Cid], bytes]) -> T:
    """The result, where ``get`` has every block at once."""
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(wanted.inline() if wanted.is_inline else get(wanted))
    except StopIteration as stop:
        result: T = stop.value
        return result
