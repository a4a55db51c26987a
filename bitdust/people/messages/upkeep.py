"""Keeping my prekeys where others find them: the port of `prekey_keeper`."""

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.automats.prekey_keeper import PrekeyKeeper
from bitdust.batching import InTurn
from bitdust.outcome import outcome
from bitdust.peers.again import NOT_YET, AskAgain
from bitdust.people.messages.ports import Directory, Keepers
from bitdust.people.messages.prekeys import MyPrekeys
from bitdust.people.messages.store import Store, put_keepers
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.encoding import encode
from bitdust.wire.packet import Command
from bitdust.wire.prekeys import OPEN, OncePrekey
from bitdust.wire.signed import Signed

SECONDS = 15.0
WANTED = 2
"""Mailboxes that are named."""
LOW = 20
"""One-time prekeys that a mailbox has still when it gets more."""


SHOWN_AGAIN = 20 * 3600
"""Seconds after which the DHT gets the same record again."""
VISITED_DAYS = 40
"""Mailboxes that are named no more are visited for so long: they keep messages for a month."""


class PrekeyUpkeep:
    """I run one `prekey_keeper` from `start` to `stop`; ``mailboxes`` are the nodes that keep one for this device.

    ``named`` reports those from which something is to be fetched: they, and those that were named not long ago.
    """

    def __init__(
        self, around: Connected, store: Store, prekeys: MyPrekeys, directory: Directory, keepers: Keepers
    ) -> None:
        self._store = store
        self._around = around
        self._me = around.me
        self._prekeys = prekeys
        self._directory = directory
        self._keepers = keepers
        self._machine: PrekeyKeeper | None = None
        self._again = AskAgain(around.world.clock, around.sessions.connected, self._consider)
        self._asking: set[bytes] = set()
        self._turns = InTurn()
        """They are named one after the other: each adds to those who are named by then."""
        self._put_off: set[bytes] = set()
        """Those who might keep a mailbox and did not say so the last time: they are asked after the others."""
        self.mailboxes: list[bytes] = []
        self._shown: tuple[int, list[bytes]] | None = None
        self._shown_at = 0.0
        self.named: Signal[[list[bytes]]] = Signal()

    @property
    def state(self) -> str:
        """How far it has come."""
        return self._machine.state if self._machine is not None else "OFF"

    async def start(self) -> None:
        """Begin, with the mailboxes of earlier lives."""
        named, former = await self._store.keepers(self._since())
        self.mailboxes = named
        self.named.emit([*named, *former])
        self._machine = PrekeyKeeper(self._around.registry, self)
        self._machine.send("start")

    def stop(self) -> None:
        """End."""
        machine, self._machine = self._machine, None
        self._again.stop()
        if machine is not None:
            machine.send("stop")

    def keepers_changed(self) -> None:
        """Others may keep mailboxes for me now, or my record in the DHT."""
        if self._machine is not None:
            self._machine.send("keepers-changed")

    def met(self, peer: bytes) -> None:
        """Somebody has come, who may keep a mailbox that is lacking: it is asked alone, and soon again where it cannot
        say so yet."""
        self._again.forget(peer)
        self._consider(peer)

    def _consider(self, peer: bytes) -> None:
        if peer not in self._asking and self._may_help(peer):
            self._asking.add(peer)
            outcome(Deferred.fromCoroutine(self._try(peer))).addCallback(lambda _: self._asking.discard(peer))

    def _may_help(self, peer: bytes) -> bool:
        if peer in self.mailboxes:
            return self.state == "STALE"
        is_short = self._machine is not None and len(self.mailboxes) < WANTED
        return is_short and peer in self._keepers.candidates()

    async def _try(self, peer: bytes) -> None:
        is_round = self.state not in ("FRESH", "STALE")
        asked = await outcome(Deferred.fromCoroutine(self._open(peer))) if not is_round else None
        if self._machine is None:
            return
        if asked is None or asked.code in NOT_YET or self.state not in ("FRESH", "STALE"):
            self._again.later(peer)
            return
        self._again.forget(peer)
        if asked.error is None and self._may_help(peer):
            is_named = await self._turns.run("name", partial(self._name_too, peer))
            if is_named and self._machine is not None:
                self._machine.send("keeper-came")

    async def _name_too(self, peer: bytes) -> bool:
        """Whether it is named now: of those who come at once the others may be enough."""
        if peer not in self.mailboxes and self._may_help(peer):
            await self._put_down([*self.mailboxes, peer])
        return peer in self.mailboxes

    def mailbox_has(self, left: int) -> None:
        """A mailbox has so many one-time prekeys left."""
        if left <= LOW:
            self.keepers_changed()

    async def shown(self) -> tuple[Signed, OncePrekey | None]:
        """What this device gives who asks it: its record, and a one-time prekey of its own where there is one."""
        if self._prekeys.is_due:
            await self._prekeys.renew()
        return self._prekeys.record(self.mailboxes), await self._prekeys.hand_out()

    # what the machine asks

    def is_due(self) -> bool:
        return self._prekeys.is_due

    def is_short(self) -> bool:
        return len(self.mailboxes) < WANTED and any(one not in self.mailboxes for one in self._keepers.candidates())

    def is_shown(self) -> bool:
        return self._shown == self._to_show() and self._around.world.wall() - self._shown_at < SHOWN_AGAIN

    def _to_show(self) -> tuple[int, list[bytes]]:
        current = self._prekeys.current
        return (current.prekey.id if current is not None else 0, self.mailboxes)

    def make(self) -> "Deferred[None]":
        return self._prekeys.renew()

    def leave(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._leave())

    async def _leave(self) -> None:
        """Those that keep one already come first: what is there is to be fetched from there. Of the others who is away
        is asked when it comes."""
        here = [peer for peer in self._keepers.candidates() if self._around.sessions.connected(peer)]
        found: list[bytes] = []
        for peer in dict.fromkeys([*self.mailboxes, *sorted(here, key=self._put_off.__contains__)]):
            if len(found) == WANTED:
                break
            self._put_off.add(peer)  # and that stays so where the round ends before there is an answer
            if (await outcome(Deferred.fromCoroutine(self._open(peer)))).error is None:
                self._put_off.discard(peer)
                found.append(peer)
        await self._turns.run("name", partial(self._put_down, found))

    async def _put_down(self, found: list[bytes]) -> None:
        now = self._store.late.stamp()
        await self._store.change(lambda database: put_keepers(database, found, now))
        self.mailboxes = found
        named, former = await self._store.keepers(self._since())
        self.named.emit([*named, *former])

    def _since(self) -> int:
        return self._store.late.now() - VISITED_DAYS * 86_400

    async def _open(self, peer: bytes) -> None:
        answer = await self._ask(peer, None)
        left = answer.fields.get("left")
        have = left if isinstance(left, int) else 0
        if have <= LOW:
            some = await self._prekeys.more_once(peer, have)
            await self._ask(peer, encode([one.as_map() for one in some]))

    def _ask(self, peer: bytes, payload: bytes | None) -> Any:
        return self._around.outbox.send(peer, Command.MESSAGE, {"kind": OPEN}, payload, deadline=SECONDS)

    def publish(self) -> "Deferred[None]":
        shown = self._to_show()
        put = self._directory.put_prekeys(self._prekeys.record(self.mailboxes))
        return put.addCallback(lambda _: self._published(shown))

    def _published(self, shown: tuple[int, list[bytes]]) -> None:
        self._shown, self._shown_at = shown, self._around.world.wall()
