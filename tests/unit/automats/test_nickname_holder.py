"""Rows of nickname_holder."""

from bitdust.automats.nickname_holder import FREE, MINE, OTHERS, NicknameHolder, NicknameHolderPort
from bitdust.wire.nicknames import POSITIONS
from tests.unit.automats.kit import RowTests


class NicknameHolderTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(NicknameHolderPort, is_wanted=True, is_same=True)
        self.begun()
        self.addCleanup(lambda: self.machine.send("shutdown"))

    def begun(self) -> None:
        """A machine that has read nothing."""
        self.machine = NicknameHolder(self.registry, self.port)

    def begin(self) -> None:
        self.drive("set", None, "DHT_READ", ("read", 0))

    def found(self, what: str, state: str, *calls) -> None:
        self.clock.advance(40)  # a minute for each reading, not for all of them
        self.port.succeed("read", what)
        self.asked(state, *calls)

    def write(self) -> None:
        self.begin()
        self.found(FREE, "DHT_WRITE", ("write", 0))

    def hold(self) -> None:
        self.write()
        self.port.succeed("write", True)
        self.asked("READY", ("report", 0, ""))

    def pause(self, why: str = "read") -> None:
        self.begin()
        self.port.fail("read", ValueError(why))
        self.asked("PAUSED", ("report", None, why))

    def test_nothing_is_wanted(self) -> None:
        """Without an identity, or a name that may be borne, nothing is read."""
        self.port.is_wanted = False
        self.drive("set", None, "AT_STARTUP")

    def test_the_first_free_position(self) -> None:
        """Positions of others are passed by; the first that is free or mine is written."""
        for last in (FREE, MINE):
            self.begin()
            self.found(OTHERS, "DHT_READ", ("read", 1))
            self.found(OTHERS, "DHT_READ", ("read", 2))
            self.found(last, "DHT_WRITE", ("write", 2))
            self.port.succeed("write", True)
            self.asked("READY", ("report", 2, ""))
            self.passes(3600, "DHT_READ", ("read", 2))
            self.ends("shutdown")
            self.begun()

    def test_all_positions_are_taken(self) -> None:
        """Where none is free it is said, and tried again from the first one, after longer and longer pauses."""
        self.begin()
        for position in range(1, POSITIONS):
            self.found(OTHERS, "DHT_READ", ("read", position))
        said = ("report", None, "all 16 positions of this nickname belong to others")
        self.found(OTHERS, "PAUSED", said)
        self.passes(5, "DHT_READ", ("read", 0))

    def test_somebody_was_faster(self) -> None:
        """A position that more nodes keep for somebody else is left to him, the last one too."""
        self.write()
        for position in range(1, POSITIONS):
            self.port.succeed("write", False)
            self.asked("DHT_READ", ("read", position))
            self.found(FREE, "DHT_WRITE", ("write", position))
        self.port.succeed("write", False)
        self.asked("PAUSED", ("report", None, "all 16 positions of this nickname belong to others"))
        self.passes(5, "DHT_READ", ("read", 0))

    def test_failures(self) -> None:
        """What fails is reported and tried again; pauses double up to ten minutes, and a success ends that."""
        self.begin()
        for pause in (5, 10, 20, 40, 80, 160, 320, 600, 600):
            self.port.fail("read", ValueError("off"))
            self.asked("PAUSED", ("report", None, "off"))
            self.passes(pause, "DHT_READ", ("read", 0))
        self.found(FREE, "DHT_WRITE", ("write", 0))
        self.port.fail("write", ValueError("no nodes"))
        self.asked("PAUSED", ("report", None, "no nodes"))
        self.passes(600, "DHT_READ", ("read", 0))
        self.found(MINE, "DHT_WRITE", ("write", 0))
        self.port.succeed("write", True)
        self.asked("READY", ("report", 0, ""))
        self.passes(3600, "DHT_READ", ("read", 0))
        self.port.fail("read", ValueError("off"))
        self.asked("PAUSED", ("report", None, "off"))
        self.passes(5, "DHT_READ", ("read", 0))

    def test_others_are_there_again(self) -> None:
        """What could not be done is done at once; what is on its way and fails is tried again after the first pause."""
        self.drive("network-back", None, "AT_STARTUP")
        self.begin()
        failed = ("report", None, "off")
        for pause in (5, 10):
            self.port.fail("read", ValueError("off"))
            self.asked("PAUSED", failed)
            self.passes(pause, "DHT_READ", ("read", 0))
        self.drive("network-back", None, "DHT_READ")
        self.port.fail("read", ValueError("off"))
        self.asked("PAUSED", failed)
        self.passes(5, "DHT_READ", ("read", 0))
        self.port.fail("read", ValueError("off"))
        self.asked("PAUSED", failed)
        self.drive("network-back", None, "DHT_READ", ("read", 0))
        self.found(FREE, "DHT_WRITE", ("write", 0))
        self.drive("network-back", None, "DHT_WRITE")
        self.port.fail("write", ValueError("off"))
        self.asked("PAUSED", failed)
        self.passes(5, "DHT_READ", ("read", 0))

    def test_silence(self) -> None:
        """Reading and writing are given up after a minute."""
        silence = ("report", None, "the DHT does not answer")
        self.begin()
        self.passes(60, "PAUSED", silence)
        self.passes(5, "DHT_READ", ("read", 0))
        self.found(FREE, "DHT_WRITE", ("write", 0))
        self.passes(60, "PAUSED", silence)
        self.assertEqual(self.port.cancelled, {"read": 1, "write": 1})

    def test_nothing_else_is_wanted(self) -> None:
        """A change of something else disturbs nothing, wherever the machine is."""
        self.begin()
        self.drive("set", None, "DHT_READ")
        self.found(FREE, "DHT_WRITE", ("write", 0))
        self.drive("set", None, "DHT_WRITE")
        self.port.succeed("write", True)
        self.asked("READY", ("report", 0, ""))
        self.drive("set", None, "READY")
        self.passes(3600, "DHT_READ", ("read", 0))
        self.port.fail("read", ValueError("off"))
        self.asked("PAUSED", ("report", None, "off"))
        self.drive("set", None, "PAUSED")

    def second(self) -> None:
        """The machine looks at the second position."""
        self.begin()
        self.found(OTHERS, "DHT_READ", ("read", 1))

    def test_another_nickname(self) -> None:
        """The former one is given up first, wherever the machine is, and the other is looked for from the beginning."""
        for before in (self.begin, self.write, self.hold, self.pause, self.second):
            for end in ("succeed", "fail", "silence"):
                self.port.is_same = True
                before()
                self.port.is_same = False
                self.drive("set", None, "DHT_ERASE", ("erase",))
                self.drive("set", None, "DHT_ERASE")
                if end == "silence":
                    self.passes(60, "DHT_READ", ("read", 0))
                else:
                    getattr(self.port, end)("erase")
                    self.asked("DHT_READ", ("read", 0))
                self.ends("shutdown")
                self.begun()

    def test_no_nickname_any_more(self) -> None:
        """Where none is wanted now the former one is given up, and that is all."""
        for end in ("succeed", "fail", "silence"):
            self.port.answers |= {"is_wanted": True, "is_same": True}
            self.second()
            self.port.answers |= {"is_wanted": False, "is_same": False}
            self.drive("set", None, "DHT_ERASE", ("erase",))
            if end == "silence":
                self.passes(60, "AT_STARTUP")
            else:
                getattr(self.port, end)("erase")
                self.asked("AT_STARTUP")
            self.port.is_wanted = True
            self.begin()
            self.ends("shutdown")
            self.begun()

    def test_end(self) -> None:
        """Shutdown gives up what is on its way; the record expires by itself."""
        self.write()
        self.ends("shutdown")
