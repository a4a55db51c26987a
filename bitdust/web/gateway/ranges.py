"""Which bytes of a file are asked for (RFC 9110, 14): one range, several, or all."""

import re

from attrs import frozen

MOST = 16
"""Ranges of one request; who asks for more gets the whole file, as a server may answer."""
_UNIT = b"bytes="
_RANGE = re.compile(rb"\s*(\d{0,18})\s*-\s*(\d{0,18})\s*")


@frozen
class Range:
    """Bytes from ``start`` on, ``length`` of them."""

    start: int
    length: int

    def content_range(self, size: int) -> bytes:
        """As the header of a part says it, of so many bytes."""
        return b"bytes %d-%d/%d" % (self.start, self.start + self.length - 1, size)


def ranges_of(header: bytes | None, size: int) -> list[Range] | None:
    """The ranges of a header that lie in a file of so many bytes; None where all of it is to be sent.

    An empty list is a header of which nothing can be satisfied. What is no header of ranges, what asks for too many of
    them, and what asks for more bytes in all than there are, is passed over.
    """
    if header is None or not header.startswith(_UNIT):
        return None
    texts = header.removeprefix(_UNIT).split(b",")
    if len(texts) > MOST:
        return None
    found: list[Range] = []
    for text in texts:
        matched = _RANGE.fullmatch(text)
        if matched is None or not (matched[1] or matched[2]):
            return None
        if matched[1] and matched[2] and int(matched[2]) < int(matched[1]):
            return None
        one = _within(matched[1], matched[2], size)
        if one is not None:
            found.append(one)
    return None if len(found) > 1 and sum(one.length for one in found) > size else found


def _within(first: bytes, last: bytes, size: int) -> Range | None:
    if not first:
        length = min(int(last), size)
        return Range(size - length, length) if length else None
    start = int(first)
    if start >= size:
        return None
    end = min(int(last), size - 1) if last else size - 1
    return Range(start, end - start + 1)
