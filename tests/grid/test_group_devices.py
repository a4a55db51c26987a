"""Groups of people who have several devices, one after the other or at once."""

from tests.grid import test_groups
from tests.grid.test_main_job import NO_CUSTOMER, NO_SUPPLIER


class WithSuppliers(test_groups.GroupsCase):
    def test_a_member_who_comes_back_with_another_device(self) -> None:
        """What somebody says whose machine was lost, from a new one, is heard by members who know nothing of that one,
        and by the one who was there all the time."""
        key, bob = self.create(), self.members[0]
        dave = self.add_customer("dave")
        for node in (bob, dave):
            self.invite(key, node)
        self.say(key, dave, "one")
        self.all_hear(key, [bob], {"one"})
        key_file = self.key_file(dave)
        dave.kill()
        again = self.recover(key_file, "dave-again")
        self.grid.until(lambda: self.is_said(key, again, "two"), 120, "the group")
        self.all_hear(key, [self.alice, bob], {"one", "two"}, 60)


class WithoutAny(test_groups.GroupsCase):
    MEMBERS = 2
    setUp = test_groups.WithoutSuppliers.setUp

    def test_both_devices_of_a_member(self) -> None:
        """What one device of a member without suppliers was let into the other one has as soon as they are connected:
        it hears all, writes, and closes the group when that one does."""
        key, (bob, carl) = self.create(), self.members
        for node in (bob, carl):
            self.invite(key, node)
        self.say(key, carl, "one")
        other = self.grid.add("bob-again", **NO_SUPPLIER, **NO_CUSTOMER)
        other.start()
        key_file = bob.rooms.identity.registration.backup(None)
        self.grid.wait(other.rooms.identity.registration.recover(key_file, None, None), 300)
        self.grid.until(lambda: other.is_on("private_groups"), 120, "groups")
        self.assertEqual(self.api(other, "groups_list"), [])
        self.grid.wait(other.rooms.gateway.dial(bob.rooms.gateway.addresses()[0], bob.fingerprint))
        self.grid.until(lambda: self.api(other, "groups_list"), 10, "the group")
        self.grid.until(lambda: self.is_said(key, other, "two"), 60, "the group at the other device")
        self.say(key, bob, "three")
        self.say(key, self.alice, "four")
        self.all_hear(key, [self.alice, bob, other, carl], {"one", "two", "three", "four"}, 120)
        self.api(other, "group_leave", group_key_id=key)
        closed = lambda: [row["active"] for row in self.api(bob, "groups_list")] == [False]  # noqa: E731
        self.grid.until(closed, 10, "the end at the first device")
        self.api(bob, "group_join", group_key_id=key)
        self.grid.until(lambda: other.rooms.groups.find(key).opened, 10, "the group at the other device again")
        self.api(bob, "group_leave", group_key_id=key, erase_key=True)
        self.grid.until(lambda: not other.rooms.groups._opened, 10, "the end of it at the other device")

    def test_a_revoked_device_of_the_creator(self) -> None:
        """Who is invited has the group, though the device that had named its keepers was revoked since."""
        key, (bob, carl) = self.create(), self.members
        self.invite(key, bob)
        me, keeper_list = self.alice.rooms.identity.me, self.alice.rooms.groups.find(key).opened.keeper_list
        me.renew_device(revoke=True)
        self.assertEqual(keeper_list.signed.device, me.device.id)
        self.alice.crash()
        self.alice = self.alice.again("10.0.0.91")
        self.grid.until(lambda: self.alice.is_on("private_groups"), 120, "groups")
        self.invite(key, carl)
