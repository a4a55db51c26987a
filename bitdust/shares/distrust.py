"""Whom a device that was revoked has let in is let in no more."""

from collections.abc import Callable

from twisted.logger import Logger

from bitdust.identity.learnt_grants import LearntGrants
from bitdust.shares.donations import Donations
from bitdust.shares.withdrawals import Withdrawals
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError


class Distrust:
    """I take back, from `start` to `stop`, what this node has learnt of such a device in the month before.

    What was granted earlier stays: its person had the time to see it, and a device is revoked for other reasons too. So
    does what the person has given here as well.
    """

    log = Logger()

    def __init__(self, around: Connected, donations: Donations, withdrawals: Withdrawals) -> None:
        self._me = around.me
        self._learnt = LearntGrants(around.world.home / "metadata", around.world.wall)
        self._donations = donations
        self._withdrawals = withdrawals
        self._seen = -1
        self._remove: Callable[[], None] = lambda: None
        donations.granted.connect(self._confirmed)

    def start(self) -> None:
        """Look now, and with each document of mine."""
        self._remove = self._me.changed.connect(self._look)
        self._look()

    def stop(self) -> None:
        """Look no more."""
        self._remove()
        self._seen = -1

    def _look(self) -> None:
        if not self._me.present or self._me.document.revision == self._seen:
            return
        document = self._me.document
        devices = (*document.devices, *document.former)
        try:
            for ident in [one.id for one in devices if one.revoked is not None and not one.was_let_go]:
                self._take_back(ident)
        except (OSError, BitDustError) as error:
            self.log.warn("what a revoked device granted is taken back later: {why}", why=error)
            return
        self._seen = document.revision

    def _confirmed(self, alias: str, grant: bytes) -> None:
        try:
            self._learnt.confirm(alias, grant)
        except OSError as error:
            self.log.warn("a grant counts on as one that another device made alone: {why}", why=error)

    def _take_back(self, device: bytes) -> None:
        gone = False
        for alias, ident in self._learnt.of(device):
            grants = [one for one in self._donations.grants(alias) if one.id == ident]
            if grants:  # of its holder this one alone: a device that is not revoked may have let the same person in
                self._donations.revoke(alias, grants)
                gone = True
        self._learnt.forget(device)
        if gone:
            self._withdrawals.tell()
