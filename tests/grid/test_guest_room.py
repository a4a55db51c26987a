"""Guests that bring more than their owner has asked room for yet."""

from bitdust.suppliers import growth
from tests.grid.test_shares import SharesCase

MIB = 1024 * 1024


class GuestRoomTests(SharesCase):
    def setUp(self) -> None:
        self.patch(growth, "FIRST", 2 * MIB)
        super().setUp()

    def test_guests_fill_the_room(self) -> None:
        """The owner, who stores nothing itself, hears of it and asks for more; nothing waits for long."""
        key = self.create()
        self.grant(key)
        self.api(self.bob, "share_open", key_id=key)
        rooms = self.alice.rooms.suppliers
        before = {rooms.book.of(who).room for who in rooms.family.members}
        for number in range(2):
            self.put(self.bob, key, f"large {number}", 3 * MIB)
        self.assertEqual(before, {2 * MIB})
        self.grid.until(lambda: self.reliable(key, "large 1") == "100%", 60, "the second file")
        self.assertGreater(min(rooms.book.of(who).room for who in rooms.family.members), 3 * MIB)

    def reliable(self, key: str, name: str) -> str:
        return str(self.api(self.bob, "file_info", remote_path=f"{key}:{name}")["versions"][-1]["reliable"])
