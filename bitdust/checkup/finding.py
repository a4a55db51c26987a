"""What one look at a node has shown, and what to do about it."""

from collections.abc import Mapping
from typing import Any

from attrs import asdict, frozen

OK, WARN, BAD = "ok", "warn", "bad"
ORDER = (OK, WARN, BAD)


def called(row: Mapping[str, Any]) -> str:
    """How a person is shown: by a name that was proven, else by the fingerprint, with what it calls itself."""
    name = str(row["global_id"] or row["idurl"])
    if row.get("name_proven", True):
        return name or str(row["fingerprint"])[:16]
    return f"{row['fingerprint'][:16]} ({name or 'no name'}, unproven)"


@frozen
class Finding:
    """``check`` names what was looked at; ``hint`` says what to do, and is empty only where all is well."""

    check: str
    verdict: str
    found: str
    hint: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As the API shows it."""
        return asdict(self)


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, OK, found)


def warn(check: str, found: str, hint: str) -> Finding:
    """It works, but somebody should know."""
    return Finding(check, WARN, found, hint)


def bad(check: str, found: str, hint: str) -> Finding:
    """Something does not work."""
    return Finding(check, BAD, found, hint)


def worst(findings: list[Finding]) -> str:
    """The verdict of all together."""
    return max((finding.verdict for finding in findings), key=ORDER.index, default=OK)


def few(names: list[str], most: int = 5) -> str:
    """Some names in a sentence."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def lasting(seconds: float) -> str:
    """``3 days``, ``2 hours``, ``5 minutes``."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        count = round(seconds / length)
        if seconds >= length:
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{seconds:.0f} seconds"
