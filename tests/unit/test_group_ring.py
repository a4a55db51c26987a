"""Whom those who keep a group watch: what one of them holds reaches all of them."""

import random
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from bitdust.groups.opened import Discussion


def watched(me: bytes, online: list[bytes]) -> set[bytes]:
    """Whom a keeper watches that has sessions with these."""
    one = SimpleNamespace(_news=set(), _me=SimpleNamespace(fingerprint=me), is_mine_to_keep=lambda: True)
    Discussion.told_by(one, online)
    return one._watched


class RingTests(SynchronousTestCase):
    def test_nobody_is_left_out(self) -> None:
        """Each watches one other, and one keeper that has come back and reaches two of four is heard by all."""
        source = random.Random(1)
        for _ in range(300):
            keepers = [source.randbytes(32) for _ in range(5)]
            back, reached = keepers[0], set(keepers[1:3])
            watches = {}
            for me in keepers:
                others = [who for who in keepers if who != me]
                if me == back:
                    others = [who for who in others if who in reached]
                elif me not in reached:
                    others.remove(back)
                watches[me] = watched(me, others)
                self.assertEqual(len(watches[me]), 1)
            heard = {back, *reached}
            for _ in keepers:
                heard |= {who for who, others in watches.items() if others & heard}
            self.assertEqual(heard, set(keepers))
