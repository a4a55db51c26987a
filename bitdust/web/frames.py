"""The frames that nearly every message comes and goes in (RFC 6455, 5.2): one whole text, masked from the client.

Autobahn does the handshake, long and fragmented messages, control frames and all that may be wrong with them. For a
message that is whole in what was read, its way through a dozen hooks costs more than the call that it asks for.
"""

WHOLE_TEXT = 0x81
MASKED = 0x80
TWO_BYTES, EIGHT_BYTES = 126, 127
MASK_SIZE = 4


def text_header(size: int) -> bytes:
    """Of a whole text from the server, which is not masked."""
    if size < TWO_BYTES:
        return bytes((WHOLE_TEXT, size))
    if size < 1 << 16:
        return bytes((WHOLE_TEXT, TWO_BYTES)) + size.to_bytes(2, "big")
    return bytes((WHOLE_TEXT, EIGHT_BYTES)) + size.to_bytes(8, "big")


def whole_text(data: bytes, start: int) -> tuple[bytes, int] | None:
    """The unmasked text of the frame at ``start``, and where the next one begins; None for any other frame, and for
    one that is not whole or longer than 64 KB."""
    if len(data) - start < 2 + MASK_SIZE or data[start] != WHOLE_TEXT:
        return None
    size = data[start + 1] - MASKED
    head = start + 2
    if size == TWO_BYTES:
        size = int.from_bytes(data[head : head + 2], "big")
        head += 2
        if size < TWO_BYTES:
            return None
    elif not 0 <= size < TWO_BYTES:
        return None
    begin = head + MASK_SIZE
    end = begin + size
    if end > len(data):
        return None
    return unmasked(data[head:begin], data[begin:end]), end


def unmasked(key: bytes, text: bytes) -> bytes:
    """Every byte combined with the one of the key whose turn it is."""
    size = len(text)
    keys = (key * (size // MASK_SIZE + 1))[:size]
    return (int.from_bytes(text, "little") ^ int.from_bytes(keys, "little")).to_bytes(size, "little")
