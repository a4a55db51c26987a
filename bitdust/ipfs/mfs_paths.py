"""Paths in MFS: ``/a/b``."""

from attrs import frozen

from bitdust.ipfs.paths import LONGEST
from bitdust.wire.errors import BitDustError

DEEPEST = 256


@frozen
class MfsPath:
    """Names from the top downwards; none for the top itself."""

    names: tuple[str, ...] = ()
    is_folder: bool = False
    """Whether it ends with a slash: what goes there goes into it, under its old name."""

    def __str__(self) -> str:
        return "/" + "/".join(self.names)


def parse_mfs(text: str) -> MfsPath:
    """Raises `BitDustError` ``bad-path``."""
    if not text.startswith("/"):
        raise BitDustError("bad-path", "paths must start with a leading slash" if text else "path must not be empty")
    if len(text) > LONGEST:
        raise BitDustError("bad-path", f"a path has at most {LONGEST} letters")
    names: list[str] = []
    for name in text.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    if len(names) > DEEPEST:
        raise BitDustError("bad-path", f"a path has at most {DEEPEST} names")
    return MfsPath(tuple(names), text.endswith("/"))


def absent() -> BitDustError:
    """Of a path at which nothing is. Programs look for this text."""
    return BitDustError("no-file", "file does not exist")
