"""Numbers of bytes for people."""

UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB")


def in_words(size: float) -> str:
    """``1.5 GB``; powers of 1024."""
    sign, size, unit = ("-" if size < 0 else ""), abs(float(size)), 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    text = f"{size:.1f}".rstrip("0").rstrip(".") if unit else str(int(size))
    return f"{sign}{text} {UNITS[unit]}"
