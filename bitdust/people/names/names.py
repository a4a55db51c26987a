"""Nicknames: mine, and those of others."""

from twisted.internet.defer import Deferred

from bitdust.people.names.holder import Holder
from bitdust.people.names.ports import NicknameTable
from bitdust.people.names.search import Bearer, Search
from bitdust.surroundings import Connected
from bitdust.wire.nicknames import read_nickname


class Names:
    """I keep my nickname from `start` to `stop`; others are searched for whenever the hash table is there."""

    def __init__(self, around: Connected, table: NicknameTable) -> None:
        self._around = around
        self._table = table
        self.holder = Holder(around, table)

    def start(self) -> None:
        """Keep my nickname in the hash table."""
        self.holder.start()

    def stop(self) -> None:
        """Keep it no more."""
        self.holder.stop()

    def find(self, nickname: str, attempts: int = 1) -> "Deferred[list[Bearer]]":
        """Whoever is found first, and others that were found with it. Raises `BadName`, fails as the table does."""
        search = self._search(nickname, attempts)
        search.machine.send("find-one")
        return search.done

    def observe(self, nickname: str, attempts: int = 1) -> "Deferred[list[Bearer]]":
        """Everybody who bears a nickname. Raises `BadName`, fails as the table does."""
        search = self._search(nickname, attempts)
        search.machine.send("observe-many")
        return search.done

    def _search(self, nickname: str, attempts: int) -> Search:
        return Search(self._around, self._table, read_nickname(nickname), attempts)
