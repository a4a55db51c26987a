"""Which events a client wants: ids, or patterns in which ``*`` stands for any letters, digits and dashes."""

import re
from collections.abc import Callable
from fnmatch import translate
from typing import Any

from bitdust.api.arguments import BadArgument

MAX_PATTERNS = 1_000
MAX_STARS = 4
_PATTERN = re.compile(r"[a-z0-9*-]{1,100}")


def everything(event_id: str) -> bool:
    """All of them."""
    return True


def chosen(patterns: Any) -> Callable[[str], bool]:
    """A judge of event ids; None chooses all of them, an empty list none. Raises `BadArgument`."""
    if patterns is None:
        return everything
    if not isinstance(patterns, list) or len(patterns) > MAX_PATTERNS:
        raise BadArgument(
            f"events must be a list of at most {MAX_PATTERNS} event ids or patterns such as service-*, or null for all"
        )
    for pattern in patterns:
        if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern) or pattern.count("*") > MAX_STARS:
            raise BadArgument(
                f"{str(pattern)[:100]!r} in the list of event ids is none: small letters, digits and dashes, "
                f"and {MAX_STARS} stars at most"
            )
    exact = frozenset(pattern for pattern in patterns if "*" not in pattern)
    wild = [re.compile(translate(pattern)) for pattern in dict.fromkeys(patterns) if "*" in pattern]
    return lambda event_id: event_id in exact or any(one.match(event_id) for one in wild)
