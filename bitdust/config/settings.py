"""The settings of one node: typed values over one file that only holds what differs from the defaults.

No Twisted here: the command line reads and changes settings while no daemon runs.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bitdust.config.schema import default_schema
from bitdust.config.store import Contents, SettingsFile
from bitdust.config.types import Option, SettingError

FILE = "settings.json"
log = logging.getLogger(__name__)
Watcher = Callable[[str, Any, Any], None]


class Settings:
    """``folder`` is ``<home>/config``; raises `SettingError` ``broken-settings`` for a file that cannot be read."""

    def __init__(self, folder: Path, schema: Mapping[str, Option] | None = None) -> None:
        self._file = SettingsFile(folder / FILE)
        self._schema = schema if schema is not None else default_schema()
        self._watchers: dict[object, tuple[str, Watcher]] = {}
        self._stored: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._replace(self._file.read())
        for key in self.unknown():
            log.warning("%s holds %.200s, which this version does not know; it is kept", self._file.path, key)

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

    def unknown(self) -> list[str]:
        """Keys in the file that this version does not know; they are kept for the one that does."""
        return sorted(key for key in self._stored if key not in self._schema)

    def get(self, key: str) -> Any:
        """The typed value; sizes in bytes."""
        option = self.option(key)
        return self._values.get(option.key, option.default)

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

        def edit(values: dict[str, Any]) -> None:
            values.pop(option.key, None)
            if parsed != option.default:
                values[option.key] = option.stored(parsed)

        self._adopt(self._file.change(edit))
        return old

    def reset(self, key: str) -> Any:
        """Go back to the default; the old value."""
        return self.set(key, self.option(key).default)

    def refresh(self) -> None:
        """Take over what another process, or a person, has written into the file, and tell the watchers."""
        self._adopt(self._file.read())

    def on_change(self, prefix: str, callback: Watcher) -> Callable[[], None]:
        """Call ``callback(key, old, new)`` for keys that begin so; gives a remover."""
        watch = object()
        self._watchers[watch] = (prefix, callback)

        def remove() -> None:
            self._watchers.pop(watch, None)

        return remove

    def describe(self, key: str, include_info: bool = False) -> dict[str, Any]:
        """As `config_get` shows it."""
        option = self.option(key)
        return option.describe(self.get(key), include_info)

    def children(self, prefix: str) -> list[str]:
        """Keys one level under a folder of settings."""
        head = prefix.strip("/") + "/" if prefix.strip("/") else ""
        names = {key[len(head) :].partition("/")[0] for key in self._schema if key.startswith(head)}
        return sorted(head + name for name in names)

    def below(self, folder: str) -> list[str]:
        """Keys of a folder of settings, however deep."""
        return [key for key in self._schema if key.startswith(folder.strip("/") + "/")]

    def _replace(self, contents: Contents) -> None:
        """Parse all before anything is taken over, so that a broken file changes nothing."""
        values = {key: self._parsed(key, contents) for key in contents.values if key in self._schema}
        self._stored, self._values = contents.values, values

    def _parsed(self, key: str, contents: Contents) -> Any:
        try:
            return self._schema[key].parse(contents.values[key])
        except SettingError as error:
            raise self._file.broken(str(error), contents.line_of(key)) from error

    def _adopt(self, contents: Contents) -> None:
        """Take over a newer state of the file; each setting that differs is told once."""
        before = self._values
        self._replace(contents)
        pairs = [
            (key, before.get(key, option.default), self._values.get(key, option.default))
            for key, option in self._schema.items()
            if key in before or key in self._values
        ]
        changes = [(key, old, new) for key, old, new in pairs if old != new]
        for key, old, new in changes:
            self._report(key, old, new)

    def _report(self, key: str, old: Any, new: Any) -> None:
        for watch, (prefix, watcher) in list(self._watchers.items()):
            if key.startswith(prefix) and watch in self._watchers:
                try:
                    watcher(key, old, new)
                except Exception:  # noqa: BLE001 - the value is stored; one watcher must not hide it from the others
                    log.exception("a watcher of %s failed", key)
