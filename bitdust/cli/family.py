"""The first suppliers of a new node, as they are hired: what `bitdust init` shows at its end."""

import time
from collections.abc import Callable
from typing import Any

from attrs import define

from bitdust.cli.client import ApiError
from bitdust.cli.main import Session

PATIENCE = 60.0
STANDSTILL = 20.0
"""Seconds without another supplier after which nobody waits any longer: the network may have no more."""
PAUSE = 0.5


@define
class HiringWatch:
    """I wait until suppliers are hired, for a bounded time, and say how far that has come."""

    session: Session
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> dict[str, Any]:
        """How many ``suppliers`` are hired, of how many that are ``wanted``, why it ``waits_for`` others, and
        ``healing``: why the family would not heal by itself."""
        self.say("suppliers are being hired; Ctrl-C ends the waiting, not the hiring")
        try:
            seen = self._watch()
        except KeyboardInterrupt:
            seen = self._look()
        if seen["healing"]:
            self.say(f"note: {seen['healing']}")
        return seen

    def _watch(self) -> dict[str, Any]:
        began = changed = self.clock()
        before = -1
        while True:
            seen = self._look()
            hired, wanted, now = seen["suppliers"], seen["wanted"], self.clock()
            if hired != before and wanted:
                self.say(f"{hired} of {wanted} suppliers are hired")
                before, changed = hired, now
            if wanted and hired >= wanted:
                return seen
            if now - began >= PATIENCE or now - changed >= STANDSTILL:
                why = f" ({seen['waits_for']})" if seen["waits_for"] else ""
                self.say(f"the node goes on looking for suppliers{why}; see how far it is: bitdust supplier list")
                return seen
            self.sleep(PAUSE)

    def _look(self) -> dict[str, Any]:
        """Nothing is known while the node is still joining its network."""
        try:
            answer = self.session.envelope("suppliers_list")
        except ApiError:
            answer = {}
        rows = [row for row in answer.get("result") or () if not row.get("beyond")]
        hired = sum(1 for row in rows if row.get("fingerprint"))
        known = {name: answer.get(name) or "" for name in ("healing", "waits_for")}
        return {"suppliers": hired, "wanted": len(rows), **known}
