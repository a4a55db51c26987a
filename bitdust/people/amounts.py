"""How much of others is taken: strangers share little, each of them a part of it."""

from collections import OrderedDict
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from bitdust.scopes.reservations import Allowance
from bitdust.wire.errors import BitDustError
from bitdust.wire.table import Who

DAY = 86_400.0
MIB = 1024 * 1024
KNOWN = Who.FRIEND | Who.DEVICE
"""Customers came by themselves, and suppliers were found among strangers: neither was chosen to write."""
REMEMBERED = 2000
LOOK_AGAIN = 10.0
"""Seconds until the disk is looked at again."""
_FRIEND = ((1000.0, 4000.0), (512 * 1024.0, 64.0 * MIB))
_STRANGER = ((2.0, 100.0), (50 * MIB / DAY, 10.0 * MIB))
_STRANGERS = ((5.0, 400.0), (200 * MIB / DAY, 64.0 * MIB))
"""Envelopes a second and how many at once; bytes a second and how many at once."""


class _Share:
    def __init__(self, clock: IReactorTime, plan: tuple[tuple[float, float], tuple[float, float]]) -> None:
        self._count, self._bytes = Allowance(clock, *plan[0]), Allowance(clock, *plan[1])

    def has(self, size: int) -> bool:
        return self._count.left() >= 1 and self._bytes.left() >= size

    def spend(self, size: int) -> None:
        self._count.spend()
        self._bytes.spend(size)


class Amounts:
    """``role_of`` gives the relations of a fingerprint, ``has_room`` says whether the disk has room for what comes."""

    def __init__(
        self, clock: IReactorTime, role_of: Callable[[bytes], Who], has_room: Callable[[], bool] = lambda: True
    ) -> None:
        self._clock = clock
        self._role_of = role_of
        self._has_room = has_room
        self._looked_at, self._is_room = -LOOK_AGAIN, True
        self._strangers = _Share(clock, _STRANGERS)
        self._peers: OrderedDict[tuple[bool, bytes], _Share] = OrderedDict()

    def is_known(self, peer: bytes) -> bool:
        """Whether it is somebody whom my person has chosen, or a device of its own."""
        return bool(self._role_of(peer) & KNOWN)

    def spend(self, peer: bytes, size: int) -> None:
        """Take one envelope of so many bytes from a peer; raises `BitDustError` ``busy``, and then nothing is taken."""
        is_known = self.is_known(peer)
        if not self._is_there_room() and Who.DEVICE not in self._role_of(peer):
            raise BitDustError("busy", "the disk here is nearly full; send the rest later")
        shares = [self._share(is_known, peer)] + ([] if is_known else [self._strangers])
        if not all(share.has(size) for share in shares):
            raise BitDustError("busy", "more messages than are taken from one sender; send the rest later")
        for share in shares:
            share.spend(size)

    def _is_there_room(self) -> bool:
        """What is refused its sender keeps: nobody's messages fill the disk up to where nothing goes on."""
        now = self._clock.seconds()
        if now - self._looked_at >= LOOK_AGAIN:
            self._looked_at, self._is_room = now, self._has_room()
        return self._is_room

    def _share(self, is_known: bool, peer: bytes) -> _Share:
        share = self._peers.get((is_known, peer))
        if share is None:
            share = self._peers[is_known, peer] = _Share(self._clock, _FRIEND if is_known else _STRANGER)
            if len(self._peers) > REMEMBERED:
                self._peers.popitem(last=False)
        self._peers.move_to_end((is_known, peer))
        return share
