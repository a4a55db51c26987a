"""The format of the home folder: its number, and the steps that bring an older home to it.

``<home>/format`` holds the number in its first line and, for people, the program that wrote it in its second. A home of
format 1 may lack the file. Before a step changes anything, what it will change is kept in ``<home>/before-format-N``.
Each step may be cut off at any moment and is then done again from its beginning; the number is written after it.
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from attrs import frozen

from bitdust import __version__
from bitdust.crypt.files import TEMPORARY, make_private_folder, sync_folder, write_safely
from bitdust.wire.errors import BitDustError

FORMAT = 2
OLDEST = 1
MAX_NUMBER_FILE = 200


@frozen
class Step:
    """From format ``before`` to ``after``. ``keeps`` tells what to keep of the home as it was, by file name."""

    before: int
    after: int
    what: str
    keeps: Callable[[Path], dict[str, bytes]]
    apply: Callable[[Path], None]


def refuse_newer(home: Path, newest: int = FORMAT) -> int:
    """The home's format; touches nothing. Raises `BitDustError` newer-home or broken-home, which say what to do."""
    path = home / "format"
    try:
        with path.open("rb") as stream:
            lines = stream.read(MAX_NUMBER_FILE).decode(errors="replace").splitlines() or [""]
    except (FileNotFoundError, NotADirectoryError):
        return OLDEST
    number = lines[0].strip()
    if not (number.isascii() and number.isdigit() and int(number) >= OLDEST):
        text = f"{path} is damaged: its first line must be the number of the home's format; bring it back from a copy"
        raise BitDustError("broken-home", text)
    if int(number) > newest:
        writer = "".join(c for c in (lines[1:] or ["a newer BitDust"])[0] if c.isprintable())
        text = (
            f"{home} has format {number}, written by {writer}; this is BitDust {__version__}, which reads format "
            f"{newest} at most. Nothing was changed. Install the newer BitDust again, or use another folder: "
            "bitdust --appdir DIR"
        )
        raise BitDustError("newer-home", text)
    return int(number)


def prepare_home(home: Path) -> list[Step]:
    """Make the home, or bring it to this program's format; the steps that were taken. Only under the process lock."""
    found = refuse_newer(home)
    fresh = not (home / "metadata").exists()
    make_private_folder(home)
    make_private_folder(home / "metadata")
    if not fresh:
        return upgrade(home, found, STEPS)
    write_number(home, FORMAT)
    return []


def upgrade(home: Path, found: int, steps: Iterable[Step]) -> list[Step]:
    """Take the steps that are ahead of a home of format ``found``, in the order of the table."""
    taken = [step for step in steps if step.before >= found]
    for step in taken:
        _keep(home / f"before-format-{step.after}", step.keeps(home))
        step.apply(home)
        write_number(home, step.after)
    return taken


def write_number(home: Path, number: int) -> None:
    """Tell which format this home has now."""
    write_safely(home / "format", f"{number}\nBitDust {__version__}\n".encode())


def _keep(folder: Path, files: dict[str, bytes]) -> None:
    """The first copy counts: what a step that was cut off had changed already must not replace it."""
    if folder.exists() or not files:
        return
    growing = folder.with_name(TEMPORARY + folder.name)
    shutil.rmtree(growing, ignore_errors=True)
    make_private_folder(growing)
    for name, content in files.items():
        write_safely(growing / name, content)
    os.rename(growing, folder)
    sync_folder(folder.parent)


def _mine(home: Path) -> Iterator[Path]:
    """The home, what is directly in it, and all of its private folders. Links are left alone, and so is what is
    behind them."""
    yield home
    for folder in (home, home / "metadata", home / "config"):
        if folder.is_dir() and not folder.is_symlink():
            yield from (path for path in sorted(folder.iterdir()) if not path.is_symlink())


def _modes(home: Path) -> dict[str, bytes]:
    lines = [f"{stat.S_IMODE(path.stat().st_mode):04o} {path.relative_to(home)}\n" for path in _mine(home)]
    return {"modes": "".join(lines).encode(errors="surrogateescape")}


def _make_private(home: Path) -> None:
    for path in _mine(home):
        wanted = 0o700 if path.is_dir() else 0o600
        if stat.S_IMODE(path.stat().st_mode) != wanted and path.stat().st_uid == os.geteuid():
            path.chmod(wanted)


STEPS = (Step(1, 2, "all of it is private; the keys may be locked by a passphrase", _modes, _make_private),)
"""Every step there is. A home of format 2 may hold ``metadata/mykeyfile`` and ``metadata/devicekey`` in their locked
forms, which programs of format 1 take for damaged: that is why the number went up."""
