"""My nickname in the hash table: what `nickname_holder` acts on."""

from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.automats.nickname_holder import FREE, MINE, OTHERS, NicknameHolder
from bitdust.people.names.ports import NicknameTable
from bitdust.surroundings import Connected
from bitdust.wire.nicknames import Claim, Nickname, is_nickname

SETTING = "personal/nickname"
PATIENCE = 120.0
"""Seconds in which the hash table is joined, and one failure is made up for."""


@frozen
class Standing:
    """How it is with my nickname: kept at a ``position``, or at none, and ``why``, ``since`` when by the clock."""

    nickname: str
    position: int | None = None
    why: str = ""
    since: float = 0.0


class Holder:
    """I keep the nickname of the settings from `start` to `stop`; where none is set, the name of my identity."""

    log = Logger()

    def __init__(self, around: Connected, table: NicknameTable) -> None:
        self._around = around
        self._table = table
        self._machine: NicknameHolder | None = None
        self._written: Nickname | None = None
        self._sought = ""
        self._newest = 0
        self._removers: list[Callable[[], None]] = []
        self._standing = Standing("")

    @property
    def wanted(self) -> str:
        """The nickname that is to be kept; empty while there is no identity."""
        if not self._around.me.present:
            return ""
        name = str(self._around.settings.get(SETTING)).strip().lower() or self._around.me.document.idurl.name
        return name if is_nickname(name) else ""

    @property
    def standing(self) -> Standing:
        """How it is with the nickname that is wanted now."""
        wanted = self.wanted
        return self._standing if self._standing.nickname == wanted else Standing(wanted)

    def problem(self) -> str:
        """Why nobody finds me by it; empty while that has not lasted for long."""
        standing = self.standing
        lasts = self._around.world.clock.seconds() - standing.since
        return standing.why if standing.why and lasts >= PATIENCE else ""

    def start(self) -> None:
        """Keep it, and follow changes of the setting and of my name."""
        self._machine = NicknameHolder(self._around.registry, self)
        self._removers = [
            self._around.settings.on_change(SETTING, lambda key, old, new: self._follow()),
            self._around.me.changed.connect(self._follow),
        ]
        self._follow()

    def stop(self) -> None:
        """Keep it no more; the record expires by itself."""
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()
        machine, self._machine = self._machine, None
        if machine is not None:
            machine.send("shutdown")
        self._written, self._sought, self._standing = None, "", Standing("")

    def network_is_back(self) -> None:
        """Others are in the hash table again: what nobody has taken is brought to them now."""
        if self._machine is not None:
            self._machine.send("network-back")

    def _follow(self) -> None:
        if self._machine is not None:
            self._machine.send("set")

    # what the machine asks

    def is_wanted(self) -> bool:
        return bool(self.wanted)

    def is_same(self) -> bool:
        return self._sought == self.wanted

    def read(self, position: int) -> "Deferred[str]":
        self._sought = self.wanted
        return self._table.claims(self._sought, position).addCallback(self._judge)

    def _judge(self, claims: list[Claim]) -> str:
        """A position that I have already is mine, whoever else claims it: others are found there beside me."""
        mine = self._around.me.fingerprint
        own = [claim.nickname for claim in claims if claim.nickname.owner == mine]
        self._newest = max((one.time for one in own), default=0)
        if any(not one.released for one in own):
            return MINE
        return OTHERS if any(not claim.nickname.released for claim in claims if claim.nickname not in own) else FREE

    def write(self, position: int) -> "Deferred[bool]":
        self._written = Nickname(self._around.me.fingerprint, self._sought, position, self._next_time())
        return self._put(self._written)

    def erase(self) -> "Deferred[Any]":
        written, self._written = self._written, None
        if written is None:
            return succeed(None)
        self._newest = max(self._newest, written.time)
        return self._put(evolve(written, time=self._next_time(), released=True))

    def _next_time(self) -> int:
        """A clock that was ahead when the record was written last must not keep it from being written again."""
        return max(int(self._around.world.wall() * 1000), self._newest + 1)

    def _put(self, nickname: Nickname) -> "Deferred[bool]":
        signed = self._around.me.sign(nickname.KIND, nickname.to_body())
        return self._table.put_claim(nickname, signed)

    def report(self, position: int | None, why: str) -> None:
        before, now = self.standing, self._around.world.clock.seconds()
        self._standing = Standing(self._sought, position, why, before.since if why and before.why else now)
        if why:
            self.log.info("my nickname is not in the DHT: {why}", why=why)
