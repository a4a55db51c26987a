"""A history of a million messages: storing, a page, a search.

``python -m benchmarks history [--messages 1000000] [--keep FOLDER]``. Messages are stored through the history's own
functions, most of them ten thousand in a commit, to have them soon; ``add`` is then measured as the node does it, one
message after the other with many on their way, each on the disk before it counts. A page has 100 messages. Searches
are for words of the shares of a natural text, by the index.
"""

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor, task, threads
from twisted.internet.defer import Deferred, gatherResults

from bitdust.people.history import words, writing
from bitdust.people.history.history import History
from bitdust.people.history.values import Filter, Page
from bitdust.signal import Signal
from bitdust.wire.messages import INCOMING, PRIVATE, Message, conversation_of

ME = b"m" * 32
PEOPLE = 200
WORDS = 50_000
TIMES = 40


class Settings:
    """All is kept."""

    def get(self, key: str) -> int:
        return 0


class Writers:
    """People who write lines of a dozen words, common ones more often than rare ones."""

    def __init__(self) -> None:
        chance = random.Random(1)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.words = ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(WORDS)]
        shares = [1 / (rank + 1) for rank in range(WORDS)]
        self._text = chance.choices(self.words, shares, k=2_000_000)
        self._chance = chance
        self._count = 0

    def next(self) -> Message:
        """One more message to me."""
        self._count += 1
        who = (self._count % PEOPLE).to_bytes(32, "big")
        start = self._chance.randrange(len(self._text) - 12)
        data = {"message": " ".join(self._text[start : start + 12])}
        now = 1_700_000_000_000 + self._count
        name = conversation_of(ME, who)
        return Message(
            os.urandom(16).hex(), PRIVATE, name, who, who[-8:], ME.hex(), "master", now, self._count, data, INCOMING
        )


def around(home: Path) -> Any:
    """What a history needs of a node."""
    world = SimpleNamespace(clock=reactor, home=home, wall=time.time, run_in_thread=threads.deferToThread)
    me = SimpleNamespace(fingerprint=ME, keeps_locked=False, present=False, changed=Signal())
    return SimpleNamespace(world=world, me=me, settings=Settings(), events=SimpleNamespace(send=lambda *_: 0))


def fill(history: History, writers: Writers, count: int) -> float:
    """Seconds in a thread for so many messages."""
    history.file.open()
    database, began = history.file.writer(), time.monotonic()
    database.execute("PRAGMA synchronous=OFF")
    for start in range(0, count, 10_000):
        database.execute("BEGIN IMMEDIATE")
        for number in range(start, min(count, start + 10_000)):
            writing.add(database, history.file.bodies, writers.next(), number)
        while words.index_more(database, history.file.bodies, 10_000):
            pass
        database.execute("COMMIT")
    history.file.close()
    return time.monotonic() - began


async def measured(call: "Callable[[], Deferred[Any]]") -> str:
    """Median and 95 % of some calls, and the CPU of each, in milliseconds; how many rows the last one had."""
    spent, found = [], []
    used = time.process_time()
    for _ in range(TIMES):
        began = time.perf_counter()
        found = await call()
        spent.append((time.perf_counter() - began) * 1000)
    spent.sort()
    used = (time.process_time() - used) / TIMES * 1000
    return f"{used:8.2f} ms  {spent[TIMES // 2]:8.2f} ms  {spent[TIMES * 95 // 100]:8.2f} ms  {len(found):5} rows"


async def run(options: argparse.Namespace) -> None:
    """Everything, printed as it is found."""
    home = Path(options.keep or tempfile.mkdtemp(prefix="history-"))
    history, writers = History(around(home)), Writers()
    try:
        spent = await threads.deferToThread(fill, history, writers, options.messages)
        print(f"{options.messages} messages stored and indexed in {spent:.0f} s")
        await history.open()
        await add(history, writers)
        size = sum(path.stat().st_size for path in history.file.folder.iterdir())
        print(f"{size / 1e6:.0f} MB on the disk\n{'':28}{'CPU':>10} {'median':>12} {'95 %':>12}")
        for name, call in calls(history, writers, options.messages):
            print(f"{name:28}{await measured(call)}")
    finally:
        await history.close()
        if not options.keep:
            shutil.rmtree(home)


async def add(history: History, writers: Writers) -> None:
    """As the node does it: many on their way, each on the disk before it counts."""
    began, used, count = time.monotonic(), time.process_time(), 10_000
    for _ in range(count // 250):
        await gatherResults([history.add(writers.next()) for _ in range(250)])
    rate, used = count / (time.monotonic() - began), (time.process_time() - used) / count
    print(f"add: {rate:.0f} messages a second, synced, indexed on the way; {used * 1e6:.0f} us of CPU for one")
    one = [time.perf_counter()]
    for _ in range(TIMES):
        await history.add(writers.next())
        one.append(time.perf_counter())
    gaps = sorted(later - before for before, later in zip(one, one[1:], strict=False))
    print(f"add: {gaps[TIMES // 2] * 1000:.2f} ms for one alone (median)")


def calls(history: History, writers: Writers, count: int) -> "list[tuple[str, Callable[[], Deferred[Any]]]]":
    """What is measured, by name."""
    name = conversation_of(ME, (7).to_bytes(32, "big"))
    who, everything = Filter(name), Filter()
    half = count // PEOPLE // 2
    common, middle, rare = writers.words[0], writers.words[300], writers.words[40_000]
    some = Page(100)
    return [
        ("page: newest", lambda: history.page(who, some)),
        ("page: half-way by offset", lambda: history.page(who, Page(100, half))),
        ("page: before a number", lambda: history.page(who, Page(100, 0, before=count // 2))),
        ("page: after a number", lambda: history.page(who, Page(100, 0, after=count // 2))),
        ("page: all, newest", lambda: history.page(everything, some)),
        ("page: all, after a number", lambda: history.page(everything, Page(100, 0, after=count // 2))),
        ("page: of one sender", lambda: history.page(Filter(sender=(9).to_bytes(32, "big")), some)),
        ("conversations", history.conversations),
        ("search: most common word", lambda: history.search(common, everything, some)),
        ("search: common in one talk", lambda: history.search(common, who, some)),
        ("search: usual word", lambda: history.search(middle, everything, some)),
        ("search: usual in one talk", lambda: history.search(middle, who, some)),
        ("search: rare word", lambda: history.search(rare, everything, some)),
        ("search: three words", lambda: history.search(f"{common} {middle} {writers.words[5]}", everything, some)),
        ("search: a phrase", lambda: history.search(f'"{common} {writers.words[1]}"', everything, some)),
        ("search: beginning", lambda: history.search(f"{middle[:3]}*", everything, some)),
    ]


def main(arguments: list[str]) -> int:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks history", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--keep", default=None, help="have the history in this folder, and leave it there")
    options = parser.parse_args(arguments)
    task.react(lambda _: Deferred.fromCoroutine(run(options)))
    return 0
