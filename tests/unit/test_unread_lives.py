"""A life of before of which too few places can ever be read: how long it is waited for, and what a person is told."""

from types import SimpleNamespace

from attrs import evolve

from bitdust.checkup import running
from bitdust.peers.shown import show_name
from bitdust.suppliers.family_before import DAY
from bitdust.suppliers.life import TERM
from bitdust.suppliers.other_lives import OtherLives
from tests.unit.test_checkup import CheckupCase
from tests.unit.test_former_family import FormerFamilyCase


class NeverReadTests(FormerFamilyCase):
    """Of four suppliers of the family of before one is there, and two are needed to know what it has stored."""

    def setUp(self) -> None:
        super().setUp()
        self.start_over()
        self.found()
        self.town.unread = {*self.members[1:]}
        self.town.clock.advance(DAY)
        self.town.family.settle()
        self.began = self.town.latest()
        self.pass_time()

    def pass_time(self) -> None:
        self.town.clock.pump([1] * 600)

    def left(self) -> int:
        """How many leave a place."""
        return len(self.town.family.current.departing)

    def test_as_long_as_contracts_last(self) -> None:
        """Those who are to leave stay for as long as anybody may have anything by observed time, and no longer."""
        self.assertEqual((self.left(), self.town.hiring.has_data()), (4, True))
        self.town.past = self.began + TERM - 1
        self.pass_time()
        self.assertEqual(self.left(), 4)
        self.town.past = self.began + TERM + 1000
        self.pass_time()
        self.assertEqual((self.left(), self.town.hiring.has_data()), (0, False))

    def test_one_more_is_back(self) -> None:
        """Nothing waits longer than it has to."""
        self.town.unread = {*self.members[2:]}
        self.pass_time()
        self.assertEqual(self.left(), 0)

    def test_a_clock_that_says_nothing(self) -> None:
        """While nobody can say how late it is the end is not known either."""
        lives = OtherLives(self.town.folder / "others")
        family = evolve(self.town.family.current, suppliers=self.members, leaving=None)
        lives.note(self.me.sign(family.KIND, family.to_body()))
        latest, self.town.latest = self.town.latest, lambda: 0.0
        lives.look(self.town, self.members)
        (life,) = lives.unread(self.town, self.members)
        self.assertEqual(life.until, 0)
        self.town.latest = latest
        lives.look(self.town, self.members)
        (life,) = lives.unread(self.town, self.members)
        self.assertEqual(life.until, int(latest()) + TERM)

    def test_what_is_shown(self) -> None:
        """A list names those who were not read, and until when they are waited for; a person may end it before."""
        (row,) = self.town.room.view.unread()
        names = {show_name(self.town, who) for who in self.members[1:]}
        self.assertEqual(({*row["suppliers"]}, row["needed"]), (names, 1))
        self.assertAlmostEqual(row["until"], self.began + TERM, delta=1000)
        self.town.hiring.dismiss(self.members[1:])
        self.pass_time()
        self.assertEqual((self.town.room.view.unread(), self.town.hiring.has_data()), ([], False))


class ToldTests(CheckupCase):
    """What the doctor says."""

    def test_a_family_of_before(self) -> None:
        """Who is waited for, until when, and what a person can do; nothing where nobody is."""
        row = {"suppliers": ["ann@x", "bob@x"], "needed": 1, "until": 1_830_000_000}
        node = SimpleNamespace(
            driver=SimpleNamespace(is_on=lambda name: True),
            suppliers=SimpleNamespace(unread=lambda: [row], is_one_waiting=False),
        )
        (found,) = findings = running._unread(node)
        self.assertEqual(self.verdicts(findings), ["warn"])
        self.assertIn("ann@x, bob@x were not read, and 1 of them", found.found)
        self.assertIn("2027-12-28 at the latest", found.found)
        self.assertIn("bitdust supplier end", found.hint)
        row["until"] = 0
        self.assertNotIn("latest", running._unread(node)[0].found)
        node.suppliers.unread = list
        self.assertEqual(running._unread(node), [])

    def test_one_that_waits_for_room(self) -> None:
        """It is said that not all that was stored can be read now, though of those who are read nothing is open."""
        node = SimpleNamespace(
            driver=SimpleNamespace(is_on=lambda name: name == "customer"),
            suppliers=SimpleNamespace(unread=list, is_one_waiting=True),
        )
        (found,) = findings = running._unread(node)
        self.assertEqual(self.verdicts(findings), ["warn"])
        self.assertIn("some wait to be read", found.found)
        node.driver.is_on = lambda name: False
        self.assertEqual(running._unread(node), [])

    def test_ends_of_revoked_devices(self) -> None:
        """As long as one is open that is said; where the key for it is gone, how it is lent once more."""
        document = SimpleNamespace(open_ends={b"a", b"b"}, device=lambda ident: SimpleNamespace(number=ident[0]))
        me = SimpleNamespace(present=True, document=document, held_master=None)
        (found,) = findings = running._open_ends(me)
        self.assertEqual((self.verdicts(findings), "97, 98" in found.found), (["warn"], True))
        self.assertIn("bitdust identity revoke 97 --key-file FILE", found.hint)
        me.held_master = object()
        (found,) = findings = running._open_ends(me)
        self.assertEqual((self.verdicts(findings), "revoke 97 --end-now" in found.found), (["ok"], True))
        document.open_ends = set()
        self.assertEqual(running._open_ends(me), [])
        me.present = False
        self.assertEqual(running._open_ends(me), [])
