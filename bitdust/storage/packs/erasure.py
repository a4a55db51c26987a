"""Reed-Solomon pieces: any k of n give the sealed pack back (``docs/formats.md``, section 6).

The pack is coded segment by segment: 1 MiB blocks stay in the cache and code four times faster than large ones. The
library puts 80 bytes before each fragment; they are stripped here, and made again for decoding.
"""

from collections.abc import Mapping

from pyeclib.ec_iface import ECDriver, ECDriverError

from bitdust.wire.encoding import WireError
from bitdust.wire.records import ECC_CODE, Scheme

HEADER = 80
Buffer = bytes | memoryview


class Coder:
    """Codes and decodes for one k of n; keeps the library's headers of segment sizes it has seen."""

    def __init__(self, k: int, n: int) -> None:
        if not 1 <= k < n:
            raise WireError("bad-scheme", f"{k} of {n} is no scheme")
        self.k, self.n = k, n
        # The Vandermonde matrix of the same library cannot decode some patterns; the Cauchy one can, always.
        self._driver = ECDriver(k=k, m=n - k, ec_type=ECC_CODE, chksum_type="none")
        self._headers: dict[int, list[bytes]] = {}

    def encode(self, sealed: Buffer, segment: int) -> list[bytes]:
        """The n pieces of a sealed pack."""
        view = memoryview(sealed)
        columns: list[list[memoryview]] = [[] for _ in range(self.n)]
        for start in range(0, len(view), segment):
            for column, fragment in zip(
                columns, self._driver.encode(bytes(view[start : start + segment])), strict=True
            ):
                column.append(memoryview(fragment)[HEADER:])
        return [b"".join(columns.pop(0)) for _ in range(self.n)]

    def decode(self, pieces: Mapping[int, Buffer], size: int, segment: int) -> bytes:
        """The sealed pack of ``size`` bytes out of any k pieces by index; raises `WireError` ``not-enough-pieces``.

        Every piece must have been checked against its root before: a flipped byte decodes to other data in silence.
        """
        if len(pieces) < self.k:
            raise WireError("not-enough-pieces", f"{len(pieces)} pieces where {self.k} are needed")
        chosen = {index: memoryview(pieces[index]) for index in sorted(pieces)[: self.k]}
        scheme = Scheme(self.k, self.n, segment)
        if any(len(piece) != scheme.piece_size(size) for piece in chosen.values()):
            raise WireError("bad-piece", "a piece has not the size that its record tells")
        return b"".join(self._segments(chosen, size, segment))

    def _segments(self, pieces: Mapping[int, memoryview], size: int, segment: int) -> list[bytes]:
        position, parts = 0, []
        for start in range(0, size, segment):
            length = min(segment, size - start)
            step = -(-length // self.k)
            slices = {index: piece[position : position + step] for index, piece in pieces.items()}
            parts.append(self._segment(slices, length))
            position += step
        return parts

    def _segment(self, slices: Mapping[int, memoryview], length: int) -> bytes:
        if all(index < self.k for index in slices):
            return b"".join(slices[index] for index in range(self.k))[:length]
        headers = self._headers_for(length)
        try:
            decoded: bytes = self._driver.decode([headers[index] + bytes(part) for index, part in slices.items()])
        except ECDriverError as error:
            raise WireError("bad-piece", f"the pieces cannot be put together: {error}") from error
        return decoded

    def _headers_for(self, length: int) -> list[bytes]:
        found = self._headers.get(length)
        if found is None:
            fragments = self._driver.encode(bytes(length))
            found = self._headers[length] = [fragment[:HEADER] for fragment in fragments]
            if len(self._headers) > 64:
                self._headers.pop(next(iter(self._headers)))
        return found


class Coders:
    """One coder for each scheme that is met."""

    def __init__(self) -> None:
        self._coders: dict[tuple[int, int], Coder] = {}

    def of(self, scheme: Scheme) -> Coder:
        """The coder of a scheme."""
        key = (scheme.k, scheme.n)
        if key not in self._coders:
            self._coders[key] = Coder(*key)
        return self._coders[key]
