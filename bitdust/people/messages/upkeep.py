"""Keeping my prekeys where others find them: the port of `prekey_keeper`."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.automats.prekey_keeper import PrekeyKeeper
from bitdust.outcome import outcome
from bitdust.people.messages.ports import Directory, Keepers
from bitdust.people.messages.prekeys import MyPrekeys
from bitdust.surroundings import Connected
from bitdust.wire.encoding import encode
from bitdust.wire.packet import Command
from bitdust.wire.prekeys import OncePrekey
from bitdust.wire.signed import Signed

OPEN = "mailbox"
"""The kind of `Command.MESSAGE` that opens a mailbox, or keeps it open, and brings one-time prekeys."""
SECONDS = 15.0
WANTED = 2
"""Mailboxes that are named."""
LOW = 20
"""One-time prekeys that a mailbox has still when it gets more."""


class PrekeyUpkeep:
    """I run one `prekey_keeper` from `start` to `stop`; ``mailboxes`` are the nodes that keep one for this device."""

    def __init__(self, around: Connected, prekeys: MyPrekeys, directory: Directory, keepers: Keepers) -> None:
        self._around = around
        self._me = around.me
        self._prekeys = prekeys
        self._directory = directory
        self._keepers = keepers
        self._machine: PrekeyKeeper | None = None
        self.mailboxes: list[bytes] = []

    @property
    def state(self) -> str:
        """How far it has come."""
        return self._machine.state if self._machine is not None else "OFF"

    def start(self) -> None:
        """Begin."""
        self._machine = PrekeyKeeper(self._around.registry, self)
        self._machine.send("start")

    def stop(self) -> None:
        """End."""
        machine, self._machine = self._machine, None
        if machine is not None:
            machine.send("stop")

    def keepers_changed(self) -> None:
        """Others may keep mailboxes for me now, or a mailbox has few prekeys left."""
        if self._machine is not None:
            self._machine.send("keepers-changed")

    async def shown(self) -> tuple[Signed, OncePrekey]:
        """What this device gives who asks it: its record, and a one-time prekey of its own."""
        if self._prekeys.is_due:
            await self._prekeys.renew()
        return self._prekeys.record(self.mailboxes), await self._prekeys.hand_out()

    # what the machine asks

    def is_due(self) -> bool:
        return self._prekeys.is_due

    def make(self) -> "Deferred[None]":
        return self._prekeys.renew()

    def leave(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._leave())

    async def _leave(self) -> None:
        """Those that keep one already come first: what is there is to be fetched from there."""
        candidates = dict.fromkeys([*self.mailboxes, *self._keepers.candidates()])
        found: list[bytes] = []
        for peer in candidates:
            if len(found) < WANTED and (await outcome(Deferred.fromCoroutine(self._open(peer)))).error is None:
                found.append(peer)
        self.mailboxes = found

    async def _open(self, peer: bytes) -> None:
        answer = await self._ask(peer, None)
        left = answer.fields.get("left")
        have = left if isinstance(left, int) else 0
        if have <= LOW:
            some = await self._prekeys.more_once(peer, have)
            await self._ask(peer, encode([one.as_map() for one in some]))

    def _ask(self, peer: bytes, payload: bytes | None) -> Any:
        return self._around.outbox.send(peer, Command.MESSAGE, {"kind": OPEN}, payload, deadline=SECONDS)

    def publish(self) -> "Deferred[Any]":
        return self._directory.put_prekeys(self._prekeys.record(self.mailboxes))
