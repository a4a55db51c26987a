"""Rows of folder_peer."""

from bitdust.automats.folder_peer import FolderPeer, FolderPeerPort
from tests.unit.automats.kit import RowTests


class FolderPeerTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(FolderPeerPort, has_more=False, pause=5.0, is_wary=False)
        self.machine = FolderPeer(self.registry, "folder-device", self.port)

    def greeting(self) -> None:
        self.drive("greet", None, "GREETING", ("greet",))

    def pulling(self) -> None:
        self.greeting()
        self.port.succeed("greet")
        self.asked("PULLING", ("met",), ("pull",))

    def together(self) -> None:
        self.pulling()
        self.port.succeed("pull")
        self.asked("TOGETHER", ("together",))

    def waiting(self) -> None:
        self.pulling()
        self.port.fail("pull")
        self.asked("WAITING")

    def test_greets(self) -> None:
        """Who proves that it holds a secret is asked for its records."""
        self.together()

    def test_is_greeted(self) -> None:
        """Who greets first has proved it already."""
        self.drive("admitted", None, "PULLING", ("met",), ("pull",))

    def test_both_greet(self) -> None:
        """Of two that greet each other at once none waits for the other's answer."""
        self.greeting()
        self.drive("admitted", None, "PULLING", ("met",), ("pull",))
        self.assertEqual(self.port.cancelled["greet"], 1)

    def test_refused(self) -> None:
        """Who holds no secret is no peer."""
        self.greeting()
        self.port.fail("greet")
        self.asked("REFUSED", ("left",))

    def test_silent(self) -> None:
        """Who does not answer a greeting within a minute is no peer."""
        self.greeting()
        self.passes(60, "REFUSED", ("left",))

    def test_more(self) -> None:
        """Records are asked for until there are no more."""
        self.pulling()
        self.port.answers["has_more"] = True
        self.port.succeed("pull")
        self.asked("PULLING", ("pull",))
        self.port.answers["has_more"] = False
        self.port.succeed("pull")
        self.asked("TOGETHER", ("together",))

    def test_news(self) -> None:
        """News are asked for at once, also those that come while records are on their way, or after a failure."""
        self.together()
        self.drive("news", None, "PULLING", ("pull",))
        self.drive("news", None, "PULLING", ("expect",))
        self.port.fail("pull")
        self.asked("WAITING")
        self.drive("news", None, "PULLING", ("pull",))

    def test_failure(self) -> None:
        """Records that could not be had are asked for again a few seconds later."""
        self.waiting()
        self.passes(5, "PULLING", ("pull",))

    def test_malformed(self) -> None:
        """Whose answers are malformed is asked when the pause is over that grows with them, whatever news it sends."""
        self.port.answers |= {"pause": 40.0, "is_wary": True}
        self.waiting()
        self.drive("news", None, "WAITING")
        self.passes(40, "PULLING", ("pull",))

    def test_slow(self) -> None:
        """Records that do not come for five minutes are asked for again; those that come have five more."""
        self.pulling()
        self.clock.advance(299)
        self.port.answers["has_more"] = True
        self.port.succeed("pull")
        self.asked("PULLING", ("pull",))
        self.passes(300, "WAITING")

    def test_now_and_then(self) -> None:
        """Where no news come for ten minutes, the peer is asked whether there are any."""
        self.together()
        self.passes(600, "PULLING", ("pull",))

    def test_lost(self) -> None:
        """It ends with the session."""
        self.together()
        self.ends("lost", "GONE", ("left",))
