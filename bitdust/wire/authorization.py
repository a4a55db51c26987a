"""The header ``Authorization`` of a request (RFC 9110, section 11.6.2): what a client says of itself."""

import base64
import binascii

BASIC, BEARER = "basic", "bearer"


def credentials(header: bytes | None, longest: int) -> tuple[str, bytes] | None:
    """The scheme, ``basic`` (RFC 7617) or ``bearer`` (RFC 6750), and its words: ``name:password``, or the token.

    None where there is no header, it has more bytes than ``longest``, or it has neither of them in a form to be read.
    """
    if header is None or len(header) > longest:
        return None
    scheme, _, rest = header.partition(b" ")
    kind, words = scheme.lower(), rest.strip()
    if kind == BEARER.encode() and words:
        return BEARER, words
    if kind != BASIC.encode():
        return None
    try:
        return BASIC, base64.b64decode(words, validate=True)
    except binascii.Error:
        return None
