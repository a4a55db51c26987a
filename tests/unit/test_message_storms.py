"""Private messages under everything at once: deaths at each commit, and storms of losses, deaths and partings."""

from random import Random

from twisted.internet.defer import Deferred

from tests.unit.message_kit import LOST, PASSES, UNHEARD, Node, PostCase
from tests.unit.test_messages import MailboxCase


class Storm:
    """What was accepted to be sent, by who sent it to whom."""

    def __init__(self, case: PostCase) -> None:
        self.case = case
        self.accepted: dict[tuple[str, str], list[int]] = {}

    def send(self, node: Node, other: Node, number: int) -> None:
        sending = node.messages.send(other.me.fingerprint, {"text": number})
        accepted = self.accepted.setdefault((node.name, other.name), [])
        sending.addCallback(lambda sent: (accepted.append(number), sent.arrived.addErrback(lambda _: None)))
        sending.addErrback(lambda _: None)

    def check(self, *nodes: Node) -> None:
        """All that was accepted is there once, in order; what died while it was taken may be there too."""
        for node in nodes:
            for other in nodes:
                if node is other:
                    continue
                came = [one.data["text"] for one in other.history.messages if one.sender == node.me.fingerprint]
                self.case.assertEqual(came, sorted(set(came)), f"{node.name} to {other.name}")
                missing = set(self.accepted.get((node.name, other.name), ())) - set(came)
                self.case.assertEqual(missing, set(), f"{node.name} to {other.name}")
                self.case.assertEqual(node.messages.letters.desk.rows, {}, node.name)


class DeathTests(PostCase):
    def die_at(self, node: Node, number: int, after: bool) -> None:
        """The node dies at its next commit of this number, before or after that is on the disk."""
        store = node.messages.store
        change, left = store.change, [number]

        def counted(call):
            left[0] -= 1
            if left[0]:
                return change(call)
            if after:
                change(call)
            node.die()
            return Deferred()

        store.change = counted

    def test_at_every_commit(self) -> None:
        """Whoever of both dies at whichever commit, before or after it is on the disk, loses and doubles nothing."""
        storm, count = Storm(self), 0
        for victim in (self.alice, self.bob):
            for after in (False, True):
                for number in range(1, 9):
                    self.die_at(victim, number, after)
                    for sender, other in ((self.alice, self.bob), (self.bob, self.alice)) * 2:
                        count += 1
                        if sender in self.office.nodes:
                            storm.send(sender, other, count)
                        self.office.clock.advance(0)
                    if victim in self.office.nodes:
                        victim.die()
                    victim.again()
                    self.passes(45)
        self.office.clock.advance(4000)
        self.passes(60)
        storm.check(self.alice, self.bob)


class StormTests(MailboxCase):
    SEEDS = (1, 103)

    def test_storms(self) -> None:
        """Whatever is lost, whoever dies, whoever is apart: in the end all is there once, in order."""
        for seed in self.SEEDS:
            self.storm(Random(seed))

    def storm(self, random: Random) -> None:
        office, storm = self.office, Storm(self)
        office.judge = lambda *packet: random.choice((PASSES, PASSES, PASSES, LOST, UNHEARD))
        people, all_of_them = (self.alice, self.bob), (self.alice, self.bob, *self.keepers)
        first = self.number = getattr(self, "number", 0) + 1000
        for step in range(60):
            what = random.randrange(10)
            if what < 5:
                sender, other = random.sample(people, 2)
                if sender in office.nodes:
                    storm.send(sender, other, first + step)
            elif what < 7:
                node = random.choice(all_of_them)
                node.die() if node in office.nodes else node.again()
            elif what == 7:
                pair = frozenset(random.sample(all_of_them, 2))
                office.apart ^= {pair}
                if pair not in office.apart:
                    office.meet(*pair)
            self.passes(random.randrange(30))
        office.judge = lambda *packet: PASSES
        office.apart.clear()
        for node in all_of_them:
            if node not in office.nodes:
                node.again()
        for one in all_of_them:
            for other in all_of_them:
                if one is not other:
                    office.meet(one, other)
        for _ in range(40):
            office.clock.advance(450)
            self.passes(5)
        storm.check(*people)
