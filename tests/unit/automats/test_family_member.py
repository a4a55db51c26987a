"""Rows of family_member."""

from bitdust.automats.family_member import FamilyMember, FamilyMemberPort
from tests.unit.automats.kit import RowTests

READ, WRITE, FAILED, OLDER = ("read",), ("write",), ("note_failed",), ("remember", "older")


class FamilyMemberTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(FamilyMemberPort, owner_is_away=True, is_lost=False)
        self.machine = FamilyMember(self.registry, "alice", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def reading(self) -> None:
        self.drive("refresh", None, "DHT_READ", READ)

    def writing(self) -> None:
        self.port.answers["is_lost"] = True
        self.reading()
        self.port.succeed("read", "older")
        self.asked("DHT_WRITE", OLDER, WRITE)

    def connected(self) -> None:
        self.reading()
        self.port.succeed("read", "record")
        self.asked("CONNECTED", ("remember", "record"))

    def test_what_the_dht_has_is_kept(self) -> None:
        """A record that is not older is kept; an hour later the DHT is asked again."""
        self.connected()
        self.passes(3600, "DHT_READ", READ)

    def test_what_the_dht_lost_is_written_again(self) -> None:
        """Where the DHT has less than is known here it gets the record, and all is well."""
        self.writing()
        self.port.succeed("write")
        self.asked("CONNECTED", ("note_written",))

    def test_nothing_to_keep(self) -> None:
        """Where nobody has a record it waits, and asks again after five minutes."""
        self.reading()
        self.port.succeed("read", None)
        self.asked("DISCONNECTED")
        self.passes(300, "DHT_READ", READ)

    def test_a_dht_that_fails(self) -> None:
        """A read or write that fails is noted and tried again after five minutes."""
        self.reading()
        self.port.fail("read")
        self.asked("DISCONNECTED", FAILED)
        self.port.answers["is_lost"] = True
        self.passes(300, "DHT_READ", READ)
        self.port.succeed("read", "older")
        self.port.fail("write")
        self.asked("DISCONNECTED", OLDER, WRITE, FAILED)
        self.passes(300, "DHT_READ", READ)

    def test_a_dht_that_hangs(self) -> None:
        """A read or write without an answer is given up after a minute, cancelled and noted."""
        self.reading()
        self.passes(60, "DISCONNECTED", FAILED)
        self.writing()
        self.passes(60, "DISCONNECTED", FAILED)
        self.assertEqual(self.port.cancelled, {"read": 1, "write": 1})

    def test_an_owner_who_is_here_looks_after_it_itself(self) -> None:
        """The DHT is not asked as long as the owner has a session, neither at first nor later."""
        self.port.answers["owner_is_away"] = False
        self.passes(300, "DISCONNECTED")
        self.connected()
        self.passes(3600, "CONNECTED")
        self.passes(3600, "CONNECTED")

    def test_a_new_record_is_read_at_once(self) -> None:
        """When the owner has brought a record the DHT is asked, also from CONNECTED; not twice at a time."""
        self.connected()
        self.reading()
        self.drive("refresh", None, "DHT_READ")
        self.port.answers["is_lost"] = True
        self.port.succeed("read", "older")
        self.asked("DHT_WRITE", OLDER, WRITE)
        self.drive("refresh", None, "DHT_WRITE")

    def test_shutdown(self) -> None:
        """It ends with its customer, and what is under way is cancelled."""
        self.writing()
        self.ends("shutdown")
        self.assertEqual(self.port.cancelled, {"write": 1})
