"""A group of many members: all that is said comes to everybody, once and in order; what a message costs.

    python -m benchmarks groups --members 50 --messages 10000

Whole nodes in one process over the network in memory, on one clock of their own; their databases are files in
``--folder``. The creator has no suppliers, so five members keep the group. ``CPU`` is the processor's time for
everything from the first message until the last node has stored the last one, divided by messages, and by messages and
members. Latency is measured on the nodes' clock, which a slow machine does not change: it shows how often packets go
back and forth.
"""

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.testing.grid import Grid, GridNode
from bitdust.wire.messages import Message

ALONE = {
    "services/supplier/enabled": False,
    "services/customer/enabled": False,
    "services/private-messages/enabled": False,
}
SEED = {"services/identity-server/enabled": True, "services/identity-server/host": "10.0.0.1"}


@define
class Heard:
    """What one member has stored: numbers of messages by sender, in the order in which they came, and how late."""

    by: dict[bytes, list[int]] = field(factory=dict)
    delays: list[float] = field(factory=list)

    def note(self, message: Message, now: float) -> None:
        """One more is stored."""
        self.by.setdefault(message.sender, []).append(int(message.data["number"]))
        self.delays.append(now - message.time / 1000)

    @property
    def count(self) -> int:
        return sum(map(len, self.by.values()))


class Group:
    """The members and what they say."""

    def __init__(self, folder: Path, members: int) -> None:
        self.grid = Grid(folder)
        self.seed = self.grid.add("seed", **SEED, **ALONE)
        self.seed.start()
        self.nodes = [self._member(f"member-{number}") for number in range(members)]
        self.heard = [self._listen(node) for node in self.nodes]
        self.key = self.api(self.nodes[0], "group_create", label="everybody")["group_key_id"]
        self.api(self.nodes[0], "group_join", group_key_id=self.key)
        for node in self.nodes[1:]:
            name = node.rooms.identity.me.global_id
            self.api(self.nodes[0], "group_share", group_key_id=self.key, trusted_user_id=name)
            self.api(node, "group_join", group_key_id=self.key)
        self.grid.run(60)

    def _member(self, name: str) -> GridNode:
        node = self.grid.add(name, **ALONE)
        node.start()
        node.create_identity()
        self.grid.until(lambda: node.is_on("private_groups"), 120, "groups")
        return node

    def _listen(self, node: GridNode) -> Heard:
        found, history = Heard(), node.rooms.people.history
        add = history.add

        def noted(message: Message) -> "Deferred[bool]":
            def stored(is_new: bool) -> bool:
                if is_new:
                    found.note(message, node.node.world.wall())
                return is_new

            return add(message).addCallback(stored)

        history.add = noted  # type: ignore[method-assign]
        return found

    def api(self, node: GridNode, method: str, **arguments: Any) -> Any:
        """The result of a method of the API."""
        answer = self.grid.wait(perform(node.node.context, TABLE.named(method), arguments), 120)
        if answer["status"] != "OK":
            raise RuntimeError(f"{method}: {answer}")
        return answer.get("result")

    def say(self, messages: int, pace: float) -> None:
        """Everybody says something in turns, so many a second; ends when all have heard all."""
        chance = random.Random(1)
        self.begun = time.process_time()
        groups = [node.rooms.groups for node in self.nodes]
        for number in range(messages):
            place = chance.randrange(len(groups))
            saying = groups[place].say(groups[place].find(self.key), {"number": number, "text": "x" * 100})
            Deferred.fromCoroutine(saying).addErrback(lambda failure: failure.printTraceback())
            if number % max(1, int(pace / 20)) == 0:
                self.grid.run(0.05)
            if number % max(1, messages // 20) == 0:
                self.show_progress(number)
        done = len(self.nodes) * messages
        self.grid.until(lambda: sum(one.count for one in self.heard) >= done, 3600, "all that was said")

    def show_progress(self, said: int) -> None:
        """How far it is: a long run that is cut off says what it has cost until then."""
        heard = sum(one.count for one in self.heard)
        print(f"{said} said, {heard} heard, CPU {time.process_time() - self.begun:.1f} s", file=sys.stderr, flush=True)

    def problems(self, messages: int) -> list[str]:
        """What is lost, doubled, or out of order."""
        found = []
        for node, heard in zip(self.nodes, self.heard, strict=True):
            numbers = sorted(number for some in heard.by.values() for number in some)
            if numbers != list(range(messages)):
                found.append(f"{node.name} has {len(numbers)} messages, {len(set(numbers))} of them different")
            if any(some != sorted(some) for some in heard.by.values()):
                found.append(f"{node.name} has messages of somebody in another order")
        return found


def main(arguments: Sequence[str]) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="benchmarks groups", description=__doc__)
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--pace", type=float, default=100.0, help="messages a second of the nodes' clock")
    parser.add_argument("--folder", default="", help="where the nodes keep their data")
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    folder = Path(tempfile.mkdtemp(dir=options.folder or None))
    try:
        group = Group(folder, options.members)
        now = group.grid.clock.seconds()
        group.say(options.messages, options.pace)
        used, passed = time.process_time() - group.begun, group.grid.clock.seconds() - now
        problems = group.problems(options.messages)
        delays = sorted(delay for one in group.heard for delay in one.delays)
        each = used / options.messages
        print(f"{options.members} members, {options.messages} messages in {passed:.0f} s of their clock")
        print(f"CPU {used:.1f} s: {each * 1e3:.2f} ms a message, {each / options.members * 1e6:.0f} µs at each member")
        print(f"heard after {statistics.median(delays):.2f} s, 95 % {delays[int(len(delays) * 0.95)]:.2f} s")
        print("nothing lost or doubled, each sender's in order" if not problems else "\n".join(problems))
        group.grid.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if problems else 0
