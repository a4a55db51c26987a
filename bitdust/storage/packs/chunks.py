"""Content-defined chunks: where a file is cut depends on its bytes alone, so that a change moves only what changed.

FastCDC (Xia et al., USENIX ATC 2016) as compiled in the ``fastcdc`` package; its pure Python fallback would be a
thousand times slower and is refused.
"""

from collections.abc import Iterator
from typing import Protocol

from attrs import frozen
from fastcdc.fastcdc_cy import fastcdc_cy

SMALLEST, AVERAGE, LARGEST = 32 * 1024, 128 * 1024, 256 * 1024
WINDOW = 8 * 1024 * 1024


@frozen
class Sizes:
    """Bytes of chunks."""

    smallest: int
    average: int
    largest: int


OF_PACKS = Sizes(SMALLEST, AVERAGE, LARGEST)


class Readable(Protocol):
    """Gives ``length`` bytes, fewer only at its end."""

    def read(self, length: int, /) -> bytes: ...


def cut(data: bytes, sizes: Sizes = OF_PACKS) -> list[int]:
    """The lengths of the chunks of these bytes; empty for nothing."""
    if not data:
        return []
    return [chunk.length for chunk in fastcdc_cy(data, sizes.smallest, sizes.average, sizes.largest, False, None)]


def chunks_of(stream: Readable, window: int = WINDOW, sizes: Sizes = OF_PACKS) -> Iterator[memoryview]:
    """The chunks of a stream, the same as if it were cut as a whole; at most a window is in memory.

    Where a cut falls depends on the bytes of its own chunk only, so all chunks of a window stand but the last, which
    could have gone on; it is carried over to the next window.
    """
    carried = b""
    while True:
        read = stream.read(window)
        data = carried + read if carried else read
        if not data:
            return
        view = memoryview(data)
        lengths = cut(data, sizes)
        last = len(read) < window
        keep = len(lengths) if last else len(lengths) - 1
        position = 0
        for length in lengths[:keep]:
            yield view[position : position + length]
            position += length
        if last:
            return
        carried = bytes(view[position:])
