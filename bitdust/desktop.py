"""The desktop of the person at this machine, if there is one: its file manager."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import frozen

OPENERS = ("xdg-open", "gio", "open", "wslview")
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")


class NoDesktop(Exception):
    """Nobody would see anything: no screen, or no program that opens things on it."""


def spawn(words: list[str]) -> None:
    """Start a program that outlives us and shares none of our files."""
    quiet = subprocess.DEVNULL
    subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, close_fds=True, cwd="/")


@frozen
class Desktop:
    """Opens folders for the person. Raises `NoDesktop` with what is missing."""

    environ: Mapping[str, str] = os.environ
    which: Callable[[str], str | None] = shutil.which
    spawn: Callable[[list[str]], None] = spawn

    def show_folder(self, path: Path) -> Path:
        """Open the file manager on a folder, or on the folder of a file; which folder it is."""
        folder = path if path.is_dir() else path.parent
        self._open(str(folder))
        return folder

    def _open(self, target: str) -> None:
        opener = next((name for name in OPENERS if self.which(name)), None)
        if opener is None:
            raise NoDesktop(f"this machine has none of the programs {', '.join(OPENERS)}")
        if opener in ("xdg-open", "gio") and not any(self.environ.get(name) for name in SCREENS):
            raise NoDesktop("the node runs without a screen")
        try:
            self.spawn([opener, "open", target] if opener == "gio" else [opener, target])
        except OSError as error:
            raise NoDesktop(f"{opener} does not start: {error.strerror}") from error
