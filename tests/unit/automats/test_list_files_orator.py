"""Rows of list_files_orator."""

from bitdust.automats.list_files_orator import ListFilesOrator, ListFilesOratorPort
from tests.unit.automats.kit import RowTests

ASK, NOTHING = ("ask_suppliers",), ("report", False)


class ListFilesOratorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(ListFilesOratorPort, has_answers=True, shortest_pause=0.0)
        self.machine = ListFilesOrator(self.registry, self.port)
        self.drive("need", None, "REMOTE_FILES", ASK)

    def test_suppliers_answer(self) -> None:
        """A round in which a supplier answered has seen files, and the next need asks again."""
        self.port.succeed("ask_suppliers")
        self.asked("SAW_FILES", ("report", True))
        self.drive("need", None, "REMOTE_FILES", ASK)

    def test_nobody_answers(self) -> None:
        """A round in which no supplier answered has seen nothing."""
        self.port.answers["has_answers"] = False
        self.port.succeed("ask_suppliers")
        self.asked("NO_FILES", NOTHING)

    def test_round_that_fails(self) -> None:
        """A round that fails has seen nothing, and the next need asks again."""
        self.port.fail("ask_suppliers")
        self.asked("NO_FILES", NOTHING)
        self.drive("need", None, "REMOTE_FILES", ASK)

    def test_endless_list(self) -> None:
        """A supplier whose list has no end is given up after half an hour."""
        self.passes(1800, "NO_FILES", NOTHING)
        self.assertEqual(self.port.cancelled, {"ask_suppliers": 1})

    def test_news(self) -> None:
        """After others have stored something suppliers are asked again soon, and six times in all, with pauses that
        double, and never sooner than their lists are long; further news begin that anew."""
        self.port.succeed("ask_suppliers")
        self.asked("SAW_FILES", ("report", True))
        self.drive("news", None, "OUTDATED")
        for seconds in (5, 10, 20, 40, 80):
            self.passes(seconds, "REMOTE_FILES", ASK)
            self.port.succeed("ask_suppliers")
            self.asked("OUTDATED", ("report", True))
        self.drive("need", None, "REMOTE_FILES", ASK)
        self.port.succeed("ask_suppliers")
        self.asked("SAW_FILES", ("report", True))
        self.drive("need", None, "REMOTE_FILES", ASK)
        self.drive("news", None, "REMOTE_FILES")
        self.port.answers["shortest_pause"] = 33.0
        self.port.succeed("ask_suppliers")
        self.asked("OUTDATED", ("report", True))
        self.passes(33, "REMOTE_FILES", ASK)
        for _ in range(5):
            self.port.succeed("ask_suppliers")
            self.asked("OUTDATED", ("report", True))
            self.drive("need", None, "REMOTE_FILES", ASK)
        self.port.succeed("ask_suppliers")
        self.asked("SAW_FILES", ("report", True))

    def test_news_amid_others(self) -> None:
        """News that come while suppliers are to be asked again begin all rounds anew."""
        self.port.succeed("ask_suppliers")
        self.asked("SAW_FILES", ("report", True))
        self.drive("news", None, "OUTDATED")
        for _ in range(5):
            self.drive("need", None, "REMOTE_FILES", ASK)
            self.port.succeed("ask_suppliers")
            self.asked("OUTDATED", ("report", True))
        self.drive("news", None, "OUTDATED")
        self.drive("need", None, "REMOTE_FILES", ASK)
        self.port.succeed("ask_suppliers")
        self.asked("OUTDATED", ("report", True))

    def test_news_before_anything(self) -> None:
        """News after a round in which nobody answered ask again; one in which nobody answers again has seen nothing."""
        self.port.answers["has_answers"] = False
        self.port.succeed("ask_suppliers")
        self.asked("NO_FILES", NOTHING)
        self.drive("news", None, "OUTDATED")
        self.passes(5, "REMOTE_FILES", ASK)
        self.port.succeed("ask_suppliers")
        self.asked("NO_FILES", NOTHING)
        self.drive("news", None, "OUTDATED")
        self.passes(5, "REMOTE_FILES", ASK)
        self.port.answers["has_answers"] = True
        self.port.succeed("ask_suppliers")
        self.asked("OUTDATED", ("report", True))

    def test_end(self) -> None:
        """Shutdown gives up the round."""
        self.ends("shutdown")
