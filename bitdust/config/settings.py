"""The settings of one node: typed values over one file that only holds what differs from the defaults."""

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bitdust.config.schema import default_schema
from bitdust.config.types import Option, SettingError
from bitdust.crypt.files import make_private_folder, write_safely

FILE = "settings.json"
MAX_FILE = 1024 * 1024
log = logging.getLogger(__name__)
Watcher = Callable[[str, Any, Any], None]


class Settings:
    """``folder`` is ``<home>/config``; raises `SettingError` ``broken-settings`` for a file that cannot be read."""

    def __init__(self, folder: Path, schema: Mapping[str, Option] | None = None) -> None:
        self._path = folder / FILE
        self._schema = schema if schema is not None else default_schema()
        self._watchers: list[tuple[str, Watcher]] = []
        self._stored = self._read()

    def _read(self) -> dict[str, Any]:
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            if len(text) > MAX_FILE:
                raise ValueError(f"it has {len(text)} bytes")
            stored = json.loads(text)
            if not isinstance(stored, dict):
                raise ValueError("it is not a JSON object")
        except ValueError as error:
            where = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise SettingError(
                "broken-settings",
                f"the settings file {self._path} cannot be read ({where}); "
                "mend it, or move it away to use the defaults",
            ) from error
        for key, value in stored.items():
            self._check_stored(key, value)
        return stored

    def _check_stored(self, key: str, value: Any) -> None:
        option = self._schema.get(key)
        if option is None:
            log.warning("the settings file holds %s, which this version does not know; it is kept", key)
            return
        try:
            option.parse(value)
        except SettingError as error:
            raise SettingError("broken-settings", f"the settings file {self._path}, {key}: {error}") from error

    def option(self, key: str) -> Option:
        """What is known of a setting; raises `SettingError` ``unknown-setting``."""
        option = self._schema.get(key.strip("/"))
        if option is None:
            raise SettingError("unknown-setting", f"there is no setting {key[:200]!r}; see `bitdust set list`")
        return option

    def __contains__(self, key: object) -> bool:
        return key in self._schema

    def keys(self) -> list[str]:
        """All keys, sorted."""
        return list(self._schema)

    def get(self, key: str) -> Any:
        """The typed value; sizes in bytes."""
        option = self.option(key)
        return option.parse(self._stored[option.key]) if option.key in self._stored else option.default

    def get_text(self, key: str) -> str:
        """The value as it is typed and printed."""
        option = self.option(key)
        shown = option.show(self.get(key))
        return str(shown).lower() if isinstance(shown, bool) else str(shown)

    def is_default(self, key: str) -> bool:
        """True unless somebody has set this one."""
        return self.option(key).key not in self._stored

    def set(self, key: str, value: Any) -> Any:
        """Check, store safely, and tell the watchers; the old value. An unchanged value is written nowhere."""
        option = self.option(key)
        if option.read_only:
            raise SettingError("read-only", f"{option.key} cannot be changed")
        parsed, old = option.parse(value), self.get(option.key)
        if parsed == old:
            return old
        stored = option.show(parsed) if option.type == "size" else parsed
        self._update(option.key, None if parsed == option.default else stored)
        self._tell(option.key, old, parsed)
        return old

    def reset(self, key: str) -> Any:
        """Go back to the default; the old value."""
        return self.set(key, self.option(key).default)

    def _update(self, key: str, value: Any) -> None:
        make_private_folder(self._path.parent)
        with _locked(self._path.with_name(".lock")):
            current = self._read()
            current.pop(key, None)
            if value is not None:
                current[key] = value
            write_safely(self._path, json.dumps(dict(sorted(current.items())), indent=2).encode() + b"\n")
        self._stored = current

    def _tell(self, key: str, old: Any, new: Any) -> None:
        for prefix, watcher in list(self._watchers):
            if key.startswith(prefix):
                try:
                    watcher(key, old, new)
                except Exception:  # noqa: BLE001 - the value is stored; one watcher must not hide it from the others
                    log.exception("a watcher of %s failed", key)

    def on_change(self, prefix: str, callback: Watcher) -> Callable[[], None]:
        """Call ``callback(key, old, new)`` for keys that begin so; gives a remover."""
        entry = (prefix, callback)
        self._watchers.append(entry)
        return lambda: self._watchers.remove(entry) if entry in self._watchers else None

    def describe(self, key: str, include_info: bool = False) -> dict[str, Any]:
        """As `config_get` shows it."""
        option = self.option(key)
        return option.describe(self.get(key), include_info)

    def children(self, prefix: str) -> list[str]:
        """Names one level under a folder of settings."""
        head = prefix.strip("/") + "/" if prefix.strip("/") else ""
        names = {key[len(head) :].partition("/")[0] for key in self._schema if key.startswith(head)}
        return sorted(head + name for name in names)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two processes that change settings at the same time do it one after the other."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
