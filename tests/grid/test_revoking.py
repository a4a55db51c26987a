"""What a person has after the devices of before were revoked: all that they had written until then."""

import shutil
from pathlib import Path

from attrs import evolve

from bitdust.identity.document import OPEN_END
from bitdust.testing.grid import GridNode
from bitdust.wire.records import Head
from tests.grid.test_groups import GroupsCase
from tests.grid.test_main_job import GridCase

MINUTE = 60.0


class RevokingCase(GridCase):
    def recovers(self, key_file: Path, name: str = "alice-again") -> GridNode:
        """A device that takes their word from all others."""
        node = self.grid.add_stranger(name)
        node.start()
        self.grid.wait(node.rooms.identity.registration.recover(key_file.read_text(), None, None, True), 300)
        self.grid.until(lambda: node.is_on("my_data"), 300, "the recovery")
        return node

    def is_settled(self, node: GridNode) -> bool:
        document = node.rooms.identity.me.document
        return not any(one.sequence == OPEN_END for one in (*document.devices, *document.former))


class RevokedInGroups(GroupsCase, RevokingCase):
    """Alice made a group and says more in it than there is in any log of her files."""

    def says_much(self) -> tuple[str, set[str]]:
        """A group that the first member has joined, and what was said in it."""
        key, bob = self.create(), self.members[0]
        self.invite(key, bob)
        texts = {str(number) for number in range(12)}
        for text in texts:
            self.say(key, self.alice, text)
        self.all_hear(key, [bob], texts)
        return key, texts

    def recovers_all(self) -> None:
        """Alice loses her home, and recovers from her key file; the lost device is revoked."""
        self.grid.run(10)
        key_file = self.key_file(self.alice)
        self.alice.kill()
        shutil.rmtree(self.alice.home)
        self.alice = self.recovers(key_file)
        self.grid.until(lambda: self.is_settled(self.alice), MINUTE, "the end of what counts")

    def test_what_was_said_before(self) -> None:
        """All that a device said in a group before it was revoked is heard by who comes later, and by who recovers."""
        key, texts = self.says_much()
        carl = self.members[1]
        self.recovers_all()
        self.grid.until(lambda: self.is_said(key, self.alice, "again"), MINUTE, "the group")
        self.all_hear(key, [self.alice], texts | {"again"})
        self.invite(key, carl)
        self.all_hear(key, [carl], texts | {"again"})

    def test_a_group_that_was_left(self) -> None:
        """What a device had said in a group that its person has left counts still: who joins later hears it."""
        key, texts = self.says_much()
        carl = self.members[1]
        other = self.recover(self.key_file(self.alice), "alice-too")
        self.grid.until(lambda: self.api(other, "groups_list"), MINUTE, "the group")
        self.all_hear(key, [other], texts, MINUTE)
        self.api(other, "group_leave", group_key_id=key)
        self.alice.kill()
        device = self.alice.rooms.identity.me.device.id
        revocations = other.rooms.identity.revocations
        revocations.revoke(revocations.find(device.hex()))
        self.grid.until(lambda: self.is_settled(other), 20 * MINUTE, "the end of what counts")
        self.assertEqual(other.rooms.identity.me.document.device(device).sequence, len(texts))
        self.api(other, "group_join", group_key_id=key)
        self.alice = other
        self.invite(key, carl)
        self.all_hear(key, [carl], texts)

    def test_a_recovered_home_that_had_left_it(self) -> None:
        """So it is where all is lost but the key file: what was said in a group that was left counts, and who joins
        it later hears it, be it the very person."""
        key, texts = self.says_much()
        carl = self.members[1]
        self.api(self.alice, "group_leave", group_key_id=key)
        self.recovers_all()
        self.assertFalse(self.alice.rooms.groups.find(key).active)
        self.api(self.alice, "group_join", group_key_id=key)
        self.grid.until(lambda: self.is_said(key, self.alice, "again"), MINUTE, "the group")
        self.all_hear(key, [self.alice], texts | {"again"})
        self.invite(key, carl)
        self.all_hear(key, [carl], texts | {"again"})

    def test_a_member_who_had_left_it(self) -> None:
        """The same of a member; a group that was left and forgotten, or offered and never joined, is not asked for."""
        key, (bob, carl), dave = self.create(), self.members, self.add_customer("dave")
        for node in (bob, dave):
            self.invite(key, node)
        texts = {str(number) for number in range(12)}
        for text in texts:
            self.say(key, dave, text)
        self.all_hear(key, [bob], texts)
        other = self.create()
        self.invite(other, dave)
        never = self.create()
        self.api(self.alice, "group_share", group_key_id=never, trusted_user_id=self.name(dave))
        self.api(dave, "group_leave", group_key_id=other, erase_key=True)
        self.api(dave, "group_leave", group_key_id=key)
        self.grid.run(10)
        key_file = self.key_file(dave)
        dave.kill()
        again = self.recovers(key_file, "dave-again")
        self.grid.until(lambda: self.is_settled(again), MINUTE, "the end of what counts")
        self.assertEqual([path.name.partition("-")[2] for path in (again.home / "groups").glob("*.db")],
                         [f"{key.partition('$')[0]}.db"])  # fmt: skip
        self.assertEqual(self.heard(key, again), [])
        self.invite(key, carl)
        self.all_hear(key, [carl], texts)
        self.api(again, "group_join", group_key_id=key)
        self.all_hear(key, [again], texts)


class RevokedWithFiles(RevokingCase):
    def stored(self) -> tuple[GridNode, Path, bytes]:
        self.add_suppliers(4)
        alice = self.add_customer()
        path, data = self.file("file")
        self.upload(alice, path, "file")
        self.grid.run(10)
        return alice, self.key_file(alice), data

    def comes_back(self, key_file: Path, data: bytes) -> GridNode:
        again = self.recovers(key_file)
        self.grid.until(lambda: not again.rooms.identity.me.is_recovering, MINUTE, "the end of the recovery")
        self.grid.until(lambda: self.is_settled(again), MINUTE, "the end of what counts")
        again.rooms.storage.core.log_replicas.check_writable()
        self.download(again, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)
        return again

    def test_half_of_the_suppliers(self) -> None:
        """With half of the suppliers gone the DHT tells that there is nothing newer than what the others have: whoever
        revokes all devices of before may write again within a minute, and has what these had stored."""
        alice, key_file, data = self.stored()
        alice.kill()
        shutil.rmtree(alice.home)
        for supplier in self.suppliers[:2]:
            supplier.kill()
        self.comes_back(key_file, data)

    def test_a_log_without_an_end(self) -> None:
        """A thief who told the DHT that its log goes on for ever keeps nobody from coming back, and nothing is missing
        for it."""
        alice, key_file, data = self.stored()
        (head,) = alice.rooms.storage.heads()
        forged = evolve(head, sequence=10_000, hash=bytes(32))
        signed = alice.rooms.identity.me.sign(Head.KIND, forged.to_body())
        self.grid.wait(alice.rooms.dht.directory.put_head(forged, signed))
        alice.kill()
        again = self.comes_back(key_file, data)
        (thief, _) = again.rooms.identity.me.document.devices
        self.assertEqual(thief.sequence, head.sequence)
