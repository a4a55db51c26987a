"""Settings that another process or a person writes into the file take effect in a node that runs."""

from pathlib import Path

from twisted.logger import Logger

from bitdust.config.settings import FILE, Settings
from bitdust.crypt.files import make_private_folder
from bitdust.watching import Watch, Watcher
from bitdust.wire.errors import BitDustError


class SettingsFollower:
    """I read the settings again when their file changes; one that is damaged changes nothing and is reported."""

    log = Logger()

    def __init__(self, watcher: Watcher, folder: Path, settings: Settings) -> None:
        self._watcher = watcher
        self._folder = folder
        self._settings = settings
        self._watch: Watch | None = None

    def start(self) -> None:
        """Begin to follow."""
        if self._watch is None:
            make_private_folder(self._folder)
            self._watch = self._watcher.watch(self._folder, self._changed)

    def stop(self) -> None:
        """End it."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    def _changed(self, paths: frozenset[Path]) -> None:
        if not paths & {self._folder, self._folder / FILE}:
            return
        try:
            self._settings.refresh()
        except BitDustError as error:
            self.log.warn("the settings stay as they are: {why}", why=str(error))
