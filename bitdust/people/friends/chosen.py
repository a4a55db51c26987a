"""My nickname on all devices of mine: the setting of each follows the list of friends, which they join."""

from collections.abc import Callable

from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.people.friends.friends import Friends
from bitdust.people.names.holder import SETTING
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.nicknames import is_nickname


class ChosenNickname:
    """I note in the list what is chosen here, and set here what was chosen on another device, from `start` to `stop`.

    A setting that differs from the list was changed while nobody looked, and is a choice as well.
    """

    log = Logger()

    def __init__(self, around: Connected, friends: Friends) -> None:
        self._settings = around.settings
        self._friends = friends
        self._removers: list[Callable[[], None]] = []
        self._is_following = False

    def start(self) -> None:
        """Compare both, and go on with that."""
        self._removers = [
            self._settings.on_change(SETTING, lambda key, old, new: self._chosen()),
            self._friends.renamed.connect(self._follow),
        ]
        self._chosen()

    def stop(self) -> None:
        """Compare nothing any more."""
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()

    def _chosen(self) -> None:
        nickname = str(self._settings.get(SETTING)).strip().lower()
        is_one = not nickname or is_nickname(nickname)
        if not is_one or self._is_following or self._friends.problem or nickname == self._friends.chosen.nickname:
            return
        self._friends.choose(nickname).addErrback(self._failed)

    def _follow(self, nickname: str) -> None:
        self._is_following = True
        try:
            self._settings.set(SETTING, nickname)
        except (BitDustError, OSError) as error:
            self.log.warn("the nickname that another device has is not taken: {why}", why=error)
        finally:
            self._is_following = False

    def _failed(self, failure: Failure) -> None:
        failure.trap(BitDustError, OSError)
        self.log.info("other devices hear of my nickname later: {why}", why=failure.getErrorMessage())
