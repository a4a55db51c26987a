"""A node that dies while it stores messages: what was acknowledged is there, once, and the rest can be sent again."""

import errno
import shutil
from itertools import count
from pathlib import Path

from twisted.internet.defer import Deferred

from bitdust.people.history.archive import SETTING
from bitdust.people.history.history import History
from bitdust.testing.faulty_disk import COMMIT, Change, Fault, FaultyDisks
from tests.unit.history_kit import HistoryCase, message

TEXTS = ["one", "two", "three", "four"]


class CrashTests(HistoryCase):
    def test_at_every_change(self) -> None:
        """At whichever change of the disk a life ends, and whether that change reached the disk or not, the next life
        has every acknowledged message in its order, and takes what is sent again exactly once."""
        self.settings.values[SETTING] = False
        lives = 0
        for done in (0.0, 1.0):
            for point in count(1):
                if not self.live(point, done):
                    break
                lives += 1
        self.assertGreater(lives, 10)

    def live(self, point: int, done: float) -> bool:
        """One life, which ends at a change; whether there was such a change."""
        self.home = self.around.world.home = Path(self.mktemp()).absolute()
        seen = 0

        def judge(change: Change) -> Fault | None:
            nonlocal seen
            seen += 1
            if seen < point:
                return None
            error = OSError(errno.EIO, "the process is gone")
            return Fault(error, done if seen == point and change.kind == COMMIT else 0.0)

        disks, messages, kept = FaultyDisks(), [message(text, sequence=n) for n, text in enumerate(TEXTS, 1)], []
        disks.watch(self.home, judge)
        with disks.installed():
            history = History(self.around)  # type: ignore[arg-type]
            if self.came_to(history.open()):
                kept = [one for one in messages if self.came_to(history.add(one))]
                self.clock.advance(2)
            disks.leave(self.home)
        for call in self.clock.getDelayedCalls():
            call.cancel()
        self.again_after(history)
        found = self.page()
        self.assertLessEqual({one.data["text"] for one in kept}, set(found))
        self.assertEqual(found, [text for text in TEXTS if text in found])
        self.add(*messages)
        self.assertEqual(sorted(self.page()), sorted(TEXTS))
        self.successResultOf(self.history.close())
        shutil.rmtree(self.home)
        return seen >= point

    def again_after(self, dead: History) -> None:
        """The next life; the first one of the test has ended as well."""
        if self.history.is_open:
            self.successResultOf(self.history.close())
        dead.file.close()
        self.history = self.open()

    def came_to(self, work: "Deferred[object]") -> bool:
        """Whether it ended well; a process that is gone says nothing."""
        ended: list[bool] = []
        work.addCallbacks(lambda _: ended.append(True), lambda _: ended.append(False))
        return ended == [True]
