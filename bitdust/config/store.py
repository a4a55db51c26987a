"""The settings file: a JSON object of what differs from the defaults, changed under a lock and written safely.

One key a line, so that a person may edit it, and an error can name the line.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from bitdust.config.types import SettingError
from bitdust.crypt.files import make_private_folder, remove_leftovers, write_safely

MAX_FILE = 1024 * 1024
LOCK_TRIES, LOCK_PAUSE = 200, 0.01
"""How often, and how many seconds apart, the lock is tried: two seconds together."""


@frozen
class Contents:
    """What was read: the values by key, and the text that they stood in."""

    values: dict[str, Any]
    text: str = ""

    def line_of(self, key: str) -> int | None:
        """The line where a key stands; None when it is spelled in another way."""
        lines = enumerate(self.text.splitlines(), 1)
        return next((number for number, line in lines if json.dumps(key) in line), None)


class SettingsFile:
    """I read and change one file. Raises `SettingError`: ``broken-settings``, ``settings-busy``, ``cannot-save``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Contents:
        """What the file holds; nothing when there is none."""
        try:
            data = self._bytes()
        except FileNotFoundError:
            return Contents({})
        except OSError as error:
            raise self.broken(error.strerror or str(error)) from error
        return self._parsed(data)

    def change(self, edit: Callable[[dict[str, Any]], None]) -> Contents:
        """Let ``edit`` change what the file holds at this moment; written only when that differs."""
        try:
            make_private_folder(self.path.parent)
            with self._locked():
                before = self.read()
                values = dict(before.values)
                edit(values)
                if values == before.values:
                    return before
                return self._write(values)
        except OSError as error:
            raise SettingError(
                "cannot-save",
                f"{self.path} cannot be written ({error.strerror}); free some space or mend its permissions, and "
                "try again",
            ) from error

    def broken(self, why: str, line: int | None = None) -> SettingError:
        """The error for a file that is not as it should be."""
        where = f"{self.path}, line {line}" if line is not None else str(self.path)
        return SettingError(
            "broken-settings",
            f"the settings file {where}: {why}; mend it, or move it away to start with the defaults",
        )

    def _bytes(self) -> bytes:
        with open(self.path, "rb") as stream:
            return stream.read(MAX_FILE + 1)

    def _parsed(self, data: bytes) -> Contents:
        if len(data) > MAX_FILE:
            raise self.broken(f"it is larger than {MAX_FILE} bytes")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.broken("it is not UTF-8 text", data.count(b"\n", 0, error.start) + 1) from error
        try:
            values = json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_refused)
        except json.JSONDecodeError as error:
            raise self.broken(f"it is not JSON: {error.msg}", error.lineno) from error
        except (ValueError, RecursionError) as error:
            raise self.broken(str(error)) from error
        if not isinstance(values, dict):
            raise self.broken("it is not a JSON object", 1)
        return Contents(values, text)

    def _write(self, values: dict[str, Any]) -> Contents:
        text = json.dumps(dict(sorted(values.items())), indent=2) + "\n"
        if len(text) > MAX_FILE:
            raise SettingError("too-large", f"all settings together may take at most {MAX_FILE} bytes")
        remove_leftovers(self.path.parent)
        write_safely(self.path, text.encode("ascii"))
        return Contents(values, text)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Two processes that change settings at the same time do it one after the other."""
        descriptor = os.open(self.path.with_name(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            self._acquire(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _acquire(self, descriptor: int) -> None:
        for _ in range(LOCK_TRIES):
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_PAUSE)
        raise SettingError("settings-busy", f"another process is changing {self.path} and does not end; try again")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{twice[:200]!r} stands there twice")
    return values


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON value")
