"""The one error of this room."""

from bitdust.wire.errors import BitDustError


class FormatError(BitDustError, ValueError):
    """Bytes or text that are not what their format says.

    The code is ``malformed``, ``too-large`` (a limit of this room) or ``unsupported`` (well-formed, but unknown here);
    what has others says so.
    """


def malformed(text: str) -> FormatError:
    """Of bytes that no encoder of the format makes."""
    return FormatError("malformed", text)


def too_large(text: str) -> FormatError:
    """Of what would cost more than this room gives to one value."""
    return FormatError("too-large", text)


def unsupported(text: str) -> FormatError:
    """Of a code or version that is well-formed and unknown."""
    return FormatError("unsupported", text)
