"""A member of a group that has one device after the other, to have more kept by the others than one may."""

from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.shared import parts
from tests.unit.test_group_parts import ALIAS, Member, Net


class DevicesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(parts, "MOST_PART", 8192)
        self.patch(parts, "MOST_OF_PERSON", 2 * 8192)
        self.net = Net(self, 1)
        self.alice, self.bob, self.carl = (self.net.add(name, name != "bob") for name in ("alice", "bob", "carl"))
        self.devices = [self.net.add(f"mallory {number}", False) for number in range(6)]
        first = self.devices[0].person.document
        for one in self.devices[1:]:
            first.devices |= one.person.document.devices
            one.person.document.devices = {}

    def kept(self, member: Member) -> int:
        """Bytes of Mallory's that a member has."""
        return sum(member.log.catalog.bytes_of(ALIAS, one.device.id, 1) for one in self.devices)

    def test_one_after_the_other(self) -> None:
        """All devices of a person have so much together, with those who keep the group and those who read it; others
        write as before."""
        for device in self.devices:
            for _ in range(6):
                device.say(b"x" * 700)
            self.net.run(20)
        written = sum(one.log.catalog.bytes_of(ALIAS, one.device.id, 1) for one in self.devices)
        self.assertGreater(written, 2 * 8192 + 4096)
        for member in (self.alice, self.bob, self.carl):
            self.assertLessEqual(self.kept(member), 2 * 8192)
            self.assertGreater(self.kept(member), 8192)
        self.bob.say(b"still heard")
        self.net.run(20)
        self.assertEqual((self.alice.of(self.bob), self.carl.of(self.bob)), ([b"still heard"], [b"still heard"]))

    def test_little_by_little(self) -> None:
        """Where the keepers take more than they should, whoever reads does not: what it has is counted each time."""
        counted: list[int] = []
        self.bob.log.parts._need_room = lambda device, size: counted.append(size)
        for _ in range(4):
            self.devices[0].say(b"x" * 700)
            self.net.run(20)
        self.assertEqual(counted, sorted(counted))
        self.assertEqual(counted[-1], self.kept(self.bob))

    def test_naming_the_device_of_another(self) -> None:
        """Who has too much and names somebody's device for its own keeps nothing of that person out."""
        for device in self.devices:
            for _ in range(6):
                device.say(b"x" * 700)
        self.devices[0].person.document.devices |= self.bob.person.document.devices
        self.net.run(60)
        self.bob.say(b"heard all the same")
        self.net.run(20)
        self.assertEqual(self.alice.of(self.bob), [b"heard all the same"])
