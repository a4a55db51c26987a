"""How rows of the table of settings are written: one function for each type."""

from bitdust.config.types import Option

KB, MB, GB, PB = 1024, 1024**2, 1024**3, 1024**5


def flag(key: str, default: bool, label: str, info: str) -> Option:
    """True or false."""
    return Option(key, "bool", default, label, info)


def number(
    key: str, default: int, label: str, info: str, least: int = 0, most: int | None = None, unit: str = ""
) -> Option:
    """A whole number."""
    return Option(key, "int", default, label, info, least, most, unit)


def port(key: str, default: int, label: str) -> Option:
    """The number of a port."""
    return Option(key, "port", default, label, f"{label}; 0 lets the system choose.", 0, 65535)


def size(key: str, default: int, label: str, info: str, least: int = 0, most: int = PB) -> Option:
    """A number of bytes, which people write as ``4 MB``."""
    return Option(key, "size", default, label, info, least, most, "bytes")


def text(key: str, label: str, info: str) -> Option:
    """Text of lines, empty by default."""
    return Option(key, "text", "", label, info)
