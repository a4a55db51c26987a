"""Links of a tree that is stored: those that lead out of it are kept, and not made again where it is brought back."""


def stays_inside(target: bytes, depth: int) -> bool:
    """Whether a link that is ``depth`` folders deep in its tree leads nowhere else.

    ``..`` counts only at the beginning: after a name it would lead out of wherever that name, perhaps a link, leads.
    """
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    up = 0
    while up < len(parts) and parts[up] == b"..":
        up += 1
    return not target.startswith(b"/") and up <= depth and b".." not in parts[up:]
