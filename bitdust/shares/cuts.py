"""Where the log of somebody who was shut out ends: what suppliers had until all of them could know counts for good.

A supplier that has not heard of it yet, or that helps the one who was shut out, may take more. So the owner says, in
its key ring and to everybody who reads, up to which entry each device counts: as far as it had come when enough
suppliers had the revocation, and were asked after that. What they list then and do not give is waited for, for a month.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from attrs import evolve

from bitdust.crypt.device import device_id
from bitdust.crypt.shares import Grant
from bitdust.replication import members, needed
from bitdust.shares.ports import MyFamily
from bitdust.shares.withdrawals import Withdrawals
from bitdust.signal import Signal
from bitdust.surroundings import Connected

ROUNDS = 2
"""Comparisons with suppliers that have to end: the first of them may have begun too early."""


class Logs(Protocol):
    """My catalog, and when it was compared with what suppliers have."""

    @property
    def compared(self) -> Signal[[]]: ...

    def end_of(self, key: str, device: bytes, guest: bytes, /) -> int | None:
        """Up to which entry the log of a guest's device is known; None while more may come that was safe."""

    def look_again(self) -> None:
        """Compare soon, where that can be done now."""


class Cuts:
    """I make them, from `start` to `stop`. ``made`` says that there is one more."""

    def __init__(self, around: Connected, family: MyFamily, withdrawals: Withdrawals, logs: Logs) -> None:
        self._me = around.me
        self._family = family
        self._withdrawals = withdrawals
        self._logs = logs
        self._rounds: dict[bytes, int] = {}
        self._removers: list[Callable[[], None]] = []
        self.made: Signal[[]] = Signal()

    def start(self) -> None:
        """Look from now on."""
        self._removers = [self._withdrawals.told.connect(self._look), self._logs.compared.connect(self._compared)]
        self._look()

    def stop(self) -> None:
        """Look no more."""
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()
        self._rounds.clear()

    def _due(self) -> Iterator[tuple[str, Grant]]:
        for key in self._me.key_ring.keys.values() if self._me.present else ():
            for grant in key.grants:
                if grant.revoked and grant.writes and grant.cut is None and self._is_known(grant):
                    yield key.key_id, grant

    def _is_known(self, grant: Grant) -> bool:
        family = self._family.current
        return family is not None and self._withdrawals.known_to(grant.id, members(family)) >= needed(family)

    def _look(self) -> None:
        due = {grant.id: self._rounds.get(grant.id, ROUNDS) for _, grant in self._due()}
        if due != self._rounds:
            self._rounds = due
            self._logs.look_again()

    def _compared(self) -> None:
        self._rounds = {ident: left - 1 for ident, left in self._rounds.items()}
        over = [ident for ident, left in self._rounds.items() if left <= 0]
        news = False
        for alias, grant in list(self._due()):
            cut = self._cut(alias, grant) if grant.id in over else None
            if cut is not None:
                self._me.key_ring.grant(alias, evolve(grant, cut=cut))
                del self._rounds[grant.id]
                news = True
        if news:
            self._me.save_key_ring()
            self.made.emit()
        if any(left > 0 for left in self._rounds.values()):
            self._logs.look_again()

    def _cut(self, alias: str, grant: Grant) -> dict[bytes, int] | None:
        """None while not all is read that suppliers had: that it had come there is what its writer was told."""
        ends = {device: self._logs.end_of(alias, device, grant.holder) for device in map(device_id, grant.devices)}
        return {device: end for device, end in ends.items() if end is not None} if None not in ends.values() else None
