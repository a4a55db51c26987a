"""Rows of ipfs_fetch."""

from bitdust.automats.ipfs_fetch import IpfsFetch, IpfsFetchPort
from tests.unit.automats.kit import RowTests

REFUSED = ("IDLE", ("refuse",))


class IpfsFetchTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(IpfsFetchPort, has_wants=True, has_partner=False, is_patient=False)
        self.begin()

    def begin(self) -> None:
        self.machine = IpfsFetch(self.registry, "bafy 1", self.port)

    def asking(self) -> None:
        self.drive("wanted", None, "ASKING", ("ask",))

    def looking(self) -> None:
        self.asking()
        self.drive("nobody-left", None, "LOOKING", ("look",))

    def waiting(self) -> None:
        self.looking()
        self.port.answers["is_patient"] = True
        self.port.succeed("look")
        self.asked("WAITING")

    def idle(self) -> None:
        self.asking()
        self.port.answers["has_wants"] = False
        self.drive("moved", None, "IDLE")

    def test_asked_until_all_is_there(self) -> None:
        """Whatever is wanted or comes, partners are asked for what is left; with nothing left it rests."""
        self.asking()
        self.drive("wanted", None, "ASKING", ("ask",))
        self.drive("moved", None, "ASKING", ("ask",))
        self.port.answers["has_wants"] = False
        self.drive("moved", None, "IDLE")
        self.drive("wanted", None, "ASKING", ("ask",))

    def test_somebody_is_found(self) -> None:
        """Where all have said no, others are looked for; those that are found are asked."""
        self.looking()
        self.port.answers["has_partner"] = True
        self.port.succeed("look")
        self.asked("ASKING", ("ask",))

    def test_the_search_fails(self) -> None:
        """A search that fails, or takes too long, leaves those who may have come meanwhile."""
        self.looking()
        self.port.answers["has_partner"] = True
        self.port.fail("look")
        self.asked("ASKING", ("ask",))
        self.port.answers["has_partner"] = False
        self.drive("nobody-left", None, "LOOKING", ("look",))
        self.port.answers["has_partner"] = True
        self.passes(15, "ASKING", ("ask",))
        self.assertEqual(self.port.cancelled["look"], 1)

    def test_nobody_is_found(self) -> None:
        """Where nobody is found, however the search ended, whoever waits is told."""
        self.looking()
        self.port.succeed("look")
        self.asked(*REFUSED)
        self.looking()
        self.port.fail("look")
        self.asked(*REFUSED)
        self.looking()
        self.passes(15, *REFUSED)

    def test_patience(self) -> None:
        """Who waits on purpose has everybody asked again every two seconds, and whenever somebody comes."""
        self.waiting()
        self.passes(2, "ASKING", ("begin_again",), ("ask",))
        self.drive("nobody-left", None, "LOOKING", ("look",))
        self.port.fail("look")
        self.asked("WAITING")
        self.drive("moved", None, "ASKING", ("ask",))
        self.drive("nobody-left", None, "LOOKING", ("look",))
        self.passes(15, "WAITING")
        self.drive("wanted", None, "ASKING", ("ask",))

    def test_nothing_is_wanted_any_more(self) -> None:
        """It rests when those who waited have gone."""
        self.waiting()
        self.port.answers["has_wants"] = False
        self.drive("moved", None, "IDLE")

    def test_stop(self) -> None:
        """It can be stopped anywhere, and whoever waits is told."""
        self.ends("stop", "ENDED", ("refuse",))
        for enter in (self.asking, self.looking, self.waiting, self.idle):
            self.port.answers |= {"has_wants": True, "is_patient": False}
            self.begin()
            enter()
            self.ends("stop", "ENDED", ("refuse",))
