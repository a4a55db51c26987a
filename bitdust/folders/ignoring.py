"""The ignore list of a folder, ``.sync/IgnoreList``: what is neither told nor taken here. Each peer has its own.

One rule a line, UTF-8, ``#`` begins a comment; ``*`` stands for any characters of a name, ``?`` for one; upper and
lower case differ. A name without a separator means a file or folder at any depth. A rule with one begins at the root:
``photos/raw`` is that folder and all in it, ``photos/*`` what is directly in ``photos``. Nothing is removed anywhere
because of a rule.
"""

import re

from bitdust.folders.paths import HOUSEKEEPING

MAX_RULES = 64 * 1024
LIST = f"{HOUSEKEEPING}/IgnoreList"


class IgnoreList:
    """I am one list, parsed."""

    def __init__(self, text: str = "") -> None:
        lines = (line.strip() for line in text.splitlines())
        rules = [line for line in lines if line and not line.startswith("#")]
        self.has_rules = bool(rules)
        """Whether anything but the folder's own place is ignored."""
        self._floating = [_pattern(rule) for rule in rules if "/" not in rule]
        self._anchored = [[_pattern(part) for part in rule.strip("/").split("/")] for rule in rules if "/" in rule]

    def ignores(self, path: str) -> bool:
        """Whether a path, or a folder that it is in, is ignored. The folder's own place always is."""
        parts = path.split("/")
        if parts[0] == HOUSEKEEPING:
            return True
        if any(rule.fullmatch(part) for rule in self._floating for part in parts):
            return True
        return any(_begins(rule, parts) for rule in self._anchored)


def _begins(rule: list[re.Pattern[str]], parts: list[str]) -> bool:
    return len(rule) <= len(parts) and all(one.fullmatch(part) for one, part in zip(rule, parts, strict=False))


def _pattern(rule: str) -> re.Pattern[str]:
    parts = ("[^/]*" if one == "*" else "[^/]" if one == "?" else re.escape(one) for one in rule)
    return re.compile("".join(parts), re.DOTALL)
