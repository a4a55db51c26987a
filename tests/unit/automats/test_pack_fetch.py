"""Rows of pack_fetch."""

from bitdust.automats.pack_fetch import PackFetch, PackFetchPort
from tests.unit.automats.kit import RowTests

ASK, BESIDE, END, DELIVER, GIVE_UP = ("ask",), ("ask_beside",), ("end_round",), ("deliver",), ("give_up",)


class PackFetchTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(
            PackFetchPort, is_whole=False, can_ask=True, is_asking=True, is_stalled=False, has_rounds=True, pause=5.0
        )
        self.machine = PackFetch(self.registry, "1a2b3c4d", self.port)
        self.addCleanup(self.machine.send, "stop")

    def set(self, **answers: bool) -> None:
        self.port.answers |= answers

    def asking(self) -> None:
        self.drive("start", None, "ASKING", ASK)

    def hedging(self) -> None:
        self.asking()
        self.set(is_stalled=True)
        self.passes(0.1, "HEDGING", BESIDE)

    def waiting(self) -> None:
        self.set(can_ask=False)
        self.drive("start", None, "WAITING", END)

    def exhausted(self) -> None:
        self.set(is_asking=False, can_ask=False)

    def test_enough_pieces(self) -> None:
        """A piece that comes while others are lacking asks for more; the last one ends the fetch."""
        self.asking()
        self.drive("ended", None, "ASKING", ASK)
        self.set(is_whole=True)
        self.ends("ended", "DONE", DELIVER)

    def test_one_that_is_on_its_way_is_waited_for(self) -> None:
        """While a piece is on its way the round goes on, though nobody else is left to be asked."""
        self.asking()
        self.set(can_ask=False)
        self.drive("ended", None, "ASKING", ASK)

    def test_one_that_can_be_asked_is_asked(self) -> None:
        """While somebody is left to be asked the round goes on, though nothing is on its way."""
        self.asking()
        self.set(is_asking=False)
        self.drive("ended", None, "ASKING", ASK)

    def test_the_end_of_a_round(self) -> None:
        """When everybody was asked and pieces are lacking, whatever came last, the next round follows a pause."""
        self.asking()
        self.exhausted()
        self.drive("ended", None, "WAITING", END)
        self.set(can_ask=True)
        self.passes(5, "ASKING", ASK)

    def test_the_end_of_the_last_round(self) -> None:
        """After the last round it is given up."""
        self.asking()
        self.exhausted()
        self.set(has_rounds=False)
        self.ends("ended", "FAILED", GIVE_UP)

    def test_progress(self) -> None:
        """While every supplier makes progress nobody else is asked."""
        self.asking()
        self.passes(0.1, "ASKING")
        self.set(is_stalled=True)
        self.passes(0.1, "HEDGING", BESIDE)

    def test_more_stalls(self) -> None:
        """Whoever else stalls gets another beside it too."""
        self.hedging()
        self.passes(0.1, "HEDGING", BESIDE)
        self.set(is_stalled=False)
        self.passes(0.1, "HEDGING")

    def test_hedged_and_whole(self) -> None:
        """The first pieces that suffice end the fetch, whoever they came from."""
        self.hedging()
        self.set(is_whole=True)
        self.ends("ended", "DONE", DELIVER)

    def test_hedged_and_lacking(self) -> None:
        """After a piece has come, or was refused, what is still lacking is asked for."""
        self.hedging()
        self.set(can_ask=False)
        self.drive("ended", None, "ASKING", ASK)

    def test_hedged_in_vain(self) -> None:
        """When those beside have nothing either, the next round follows; after the last one it is given up."""
        self.hedging()
        self.exhausted()
        self.drive("ended", None, "WAITING", END)
        self.set(can_ask=True)
        self.passes(5, "ASKING", ASK)
        self.passes(0.1, "HEDGING", BESIDE)
        self.exhausted()
        self.set(has_rounds=False)
        self.ends("ended", "FAILED", GIVE_UP)

    def test_nobody_is_connected(self) -> None:
        """Where nobody can be asked it waits, as often as there are rounds."""
        self.waiting()
        self.passes(5, "WAITING", END)
        self.set(has_rounds=False)
        self.clock.advance(5)
        self.asked("FAILED", GIVE_UP)

    def test_stop(self) -> None:
        """Whoever gives up waiting takes the requests back."""
        self.asking()
        self.ends("stop", "STOPPED", ("stop_requests",))
