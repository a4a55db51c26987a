"""A node that dies, or loses its power, at every change of its disk while it writes to somebody and is written to."""

import gc
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.people.history.history import History
from bitdust.people.history.values import Filter, Page
from bitdust.testing.faulty_disk import SYNC, WRITE, Change, Crash, Fault, FaultyDisks
from bitdust.wire.errors import BitDustError
from tests.grid.crash.power import Unsynced
from tests.unit.kit import Settings
from tests.unit.message_kit import Node, Office, PostCase

HOWS = {"power": 0.0, "after": 1.0, "torn": 0.0, "half": 0.5}
"""Nothing that was not synced is there, the change is done, some sectors of what was not synced, half of the change."""
STRIDE = 4
"""1 tries every change. All of them in each way are 220 lives, and 22 seconds of a core; that was done once."""
ONLY = {"half": WRITE, "torn": SYNC}
"""Ways that are the same as another one, but for changes of this kind."""
KEPT = {
    "services/message-history/keep-days": 0,
    "services/message-history/keep-messages": 0,
    "services/message-history/archive-enabled": False,
}


class RealNode(Node):
    """One with a history on its disk."""

    def history_of_life(self) -> Any:
        around: Any = SimpleNamespace(world=self.world, me=self.me, settings=Settings(KEPT), events=self.events)
        return History(around)

    def start(self) -> None:
        self.failed: list[Any] = []
        for begun in (self.history.open(), self.mailboxes.start(), self.messages.start()):
            begun.addErrback(self.failed.append)

    def stop(self) -> None:
        super().stop()
        self.history.close()

    def page(self, direction: str) -> list[Any]:
        """The texts of a direction, in the order in which they were stored."""
        found: list[Any] = []
        reading = self.history.page(Filter(), Page(100)).addCallback(found.extend)
        reading.addErrback(lambda failure: failure.raiseException())
        return [one.message.data["text"] for one in found if one.message.direction == direction]


class Life:
    """One process over a home; it ends at a change, or does not."""

    def __init__(self, home: Path, at: int, how: str) -> None:
        self.home, self.at, self.how = home, at, how
        self.kinds: list[str] = []
        self.disks = FaultyDisks(sees_all=True)
        self.unsynced = Unsynced()
        self.last: Change | None = None
        self.is_over = False

    def judge(self, change: Change) -> Fault | None:
        """What SQLite writes in a row is one change."""
        last, self.last = self.last, change
        is_same = last is not None and (last.kind, last.path) == (change.kind, change.path)
        if not (is_same and change.kind == WRITE and ".db" in change.path.name):
            self.kinds.append(change.kind)
        if len(self.kinds) != self.at or self.is_over:
            self.unsynced.see(change)
            return None
        return Fault(Crash(str(change)), HOWS[self.how], self.die)

    def die(self) -> None:
        """Nothing more reaches the disk, and without power not even what was not synced."""
        self.is_over = True
        self.disks.leave(self.home)
        if self.how in ("power", "torn"):
            with self.disks.outside():
                self.unsynced.cut(random.Random(self.at) if self.how == "torn" else None)


class CrashTests(PostCase):
    def setUp(self) -> None:
        """Each life has nodes of its own."""

    def begin(self) -> None:
        self.office = Office(Path(self.mktemp()).absolute())
        self.alice, self.bob = (self.node(name) for name in ("alice", "bob"))
        self.befriend(self.alice, self.bob)

    def node(self, name: str) -> RealNode:
        home = self.office.base / name
        (home / "metadata").mkdir(parents=True)
        node = RealNode(self.office, name, home)
        self.office.join(node)
        return node

    def write(self) -> None:
        """Both write; what was acknowledged to a writer is noted."""
        for number, (one, other) in enumerate(((self.alice, self.bob), (self.bob, self.alice)) * 2):
            if one not in self.office.nodes:
                continue
            text = f"{one.name} {number}"
            try:
                sending = one.messages.send(other.me.fingerprint, {"text": text})
            except BitDustError:  # it died while it started
                continue
            sending.addCallbacks(lambda sent, one=one, text=text: self.sent(one, text, sent), lambda failure: None)

    def sent(self, one: Node, text: str, sent: Any) -> None:
        self.taken[one.name].append(text)
        sent.arrived.addCallbacks(lambda _: self.arrived.append(text), lambda failure: None)

    def life(self, name: str, at: int, how: str) -> Life:
        """One of the two dies at a change; then both live on."""
        self.begin()
        self.taken: dict[str, list[str]] = {"alice": [], "bob": []}
        self.arrived: list[str] = []
        victim = self.alice if name == "alice" else self.bob
        self.end_life(victim)
        life = Life(victim.home, at, how)
        life.disks.watch(victim.home, life.judge)
        with life.disks.installed():
            victim.build()
            self.office.join(victim)
            self.write()
            for _ in range(3):
                self.office.clock.advance(1)
            life.disks.leave(victim.home)
        self.end_life(victim)
        self.flushLoggedErrors()
        victim.again()
        for _ in range(20):
            self.office.clock.advance(4)
        self.check(life)
        for node in list(self.office.nodes):
            node.stop()
        for call in self.office.clock.getDelayedCalls():
            call.cancel()
        return life

    def end_life(self, node: RealNode) -> None:
        """The process is gone, and holds no file."""
        if node in self.office.nodes:
            node.die()
        for store in (node.messages.store, node.mailboxes.store):
            Deferred.fromCoroutine(store.close()).addErrback(lambda failure: None)
        node.history.file.close()
        gc.collect(0)

    def check(self, life: Life) -> None:
        """What a writer's node has taken is at the other one, once and in order; what was acknowledged is too."""
        where = f"{life.how} {life.at}, {life.last}"
        for one, other in ((self.alice, self.bob), (self.bob, self.alice)):
            written, came = one.page("outgoing"), other.page("incoming")
            self.assertEqual(came, sorted(set(came), key=came.index), where)
            self.assertEqual(came, [text for text in sorted(written) if text in came], where)
            self.assertLessEqual(set(self.taken[one.name]), set(came), where)
            self.assertEqual((one.failed, one.messages.letters.desk.rows), ([], {}), where)
        both = {*self.alice.page("incoming"), *self.bob.page("incoming")}
        self.assertLessEqual(set(self.arrived), both, where)

    def lives(self, name: str, first: int) -> None:
        """Every fourth change of one of them, in the ways that there are of it, one after the other."""
        kinds = self.life(name, 0, "after").kinds
        self.assertGreater(len(kinds), 30)
        for turn, at in enumerate(range(first, len(kinds) + 1, STRIDE)):
            ways = [how for how in HOWS if ONLY.get(how, kinds[at - 1]) == kinds[at - 1]]
            self.life(name, at, ways[turn % len(ways)])

    def test_who_writes_first(self) -> None:
        """What alice's node had taken to send is at bob's, once and in order; what it had stored of his stays."""
        self.lives("alice", 1)

    def test_who_answers(self) -> None:
        """The same where bob's node dies."""
        self.lives("bob", 2)
