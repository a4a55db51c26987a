"""Unsigned varints (multiformats): seven bits a byte, the lowest first, the high bit says that more follow.

At most nine bytes, so at most 63 bits, and never longer than the value needs: one value has one form.
"""

from bitdust.ipld.errors import malformed

LONGEST = 9
HIGHEST = (1 << 7 * LONGEST) - 1
Buffer = bytes | bytearray | memoryview


def encode(value: int) -> bytes:
    """The shortest form."""
    if value < 0x80:
        if value < 0:
            raise malformed("a varint has no sign")
        return bytes((value,))
    if value > HIGHEST:
        raise malformed(f"{value} does not fit into a varint of nine bytes")
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def decode(data: Buffer, position: int = 0) -> tuple[int, int]:
    """The value at ``position``, and where it ends."""
    value = shift = 0
    for index in range(position, min(position + LONGEST, len(data))):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if not byte and shift:
                raise malformed("a varint that is longer than its value needs")
            return value, index + 1
        shift += 7
    raise malformed("a varint that does not end")
