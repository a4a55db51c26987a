"""Rows of encrypted_web_socket."""

from bitdust.automats.encrypted_web_socket import HANDSHAKES, EncryptedWebSocket, EncryptedWebSocketPort
from tests.unit.automats.kit import RowTests

STARTED, PROCEEDING, FAILED = (("report", f"web-socket-handshake-{how}") for how in ("started", "proceeding", "failed"))
DROP = ("drop",)
GUESSED = ("end", f"{HANDSHAKES} times the codes were not confirmed")


class EncryptedWebSocketTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(EncryptedWebSocketPort, is_authorized=False, is_right=False)
        self.machine = EncryptedWebSocket(self.registry, "phone", self.port)
        self.addCleanup(self.machine.send, "stop")

    def waits(self) -> None:
        self.drive("start", None, "CLIENT_PUB?")

    def handshake(self) -> None:
        self.drive("keys", None, "HANDSHAKE", STARTED)

    def codes(self) -> None:
        self.handshake()
        self.drive("codes", None, "SERVER_CODE?", PROCEEDING)

    def client_code(self) -> None:
        self.codes()
        self.drive("server-code", None, "CLIENT_CODE?", PROCEEDING)

    def test_let_in(self) -> None:
        """The node's code is typed there, the other's here; the key is kept before anybody is told."""
        self.waits()
        self.client_code()
        self.port.answers["is_right"] = True
        self.drive("client-code", "123456", "KEEPING", ("keep",))
        self.port.succeed("keep")
        self.asked("READY", ("welcome",))
        self.ends("stop", "CLOSED", ("end", ""))

    def test_a_full_disk(self) -> None:
        """Who cannot be kept is not let in, and may try again."""
        self.waits()
        self.port.answers["is_right"] = True
        self.client_code()
        self.drive("client-code", "123456", "KEEPING", ("keep",))
        self.port.fail("keep")
        self.asked("CLIENT_PUB?", DROP, FAILED)
        self.client_code()
        self.drive("client-code", "123456", "KEEPING", ("keep",))
        self.passes(60, "CLIENT_PUB?", DROP, FAILED)

    def test_known_already(self) -> None:
        """Who was let in may come at once."""
        self.port.answers["is_authorized"] = True
        self.drive("start", None, "READY")

    def test_nobody_comes(self) -> None:
        """After ten minutes nobody is let in any more."""
        self.waits()
        self.passes(600, "CLOSED", ("end", "nobody came in ten minutes"), FAILED)

    def test_a_handshake_that_ends(self) -> None:
        """Lost or slow, it does not count: nobody has seen a code."""
        self.waits()
        for _ in range(HANDSHAKES + 1):
            self.handshake()
            self.drive("failed", None, "CLIENT_PUB?", FAILED)
        self.handshake()
        self.passes(30, "CLIENT_PUB?", DROP, FAILED)
        self.assertEqual(self.machine.failures, 0)

    def test_wrong_codes(self) -> None:
        """Three a handshake."""
        self.waits()
        for _ in range(2):
            self.client_code()
            self.drive("client-code", "1", "CLIENT_CODE?")
            self.drive("client-code", "2", "CLIENT_CODE?")
            self.drive("client-code", "3", "CLIENT_PUB?", DROP, FAILED)

    def fails(self, how: str) -> None:
        """One handshake more, up to codes that nobody confirms."""
        self.codes()
        if how.startswith("client"):
            self.drive("server-code", None, "CLIENT_CODE?", PROCEEDING)
        if how.endswith("late"):
            self.clock.advance(120)
        elif how.endswith("lost"):
            self.machine.send("failed")
        else:
            for code in "123":
                self.machine.send("client-code", code)

    def test_guessing(self) -> None:
        """After five handshakes whose codes nobody has confirmed it is over, in whichever way they ended."""
        ways = {"late": (DROP, FAILED), "lost": (FAILED,), "client late": (DROP, FAILED), "client lost": (FAILED,)}
        for how, calls in (ways | {"client wrong": (DROP, FAILED)}).items():
            self.machine = EncryptedWebSocket(self.registry, "phone", self.port)
            self.waits()
            for _ in range(HANDSHAKES - 1):
                self.fails(how)
                self.asked("CLIENT_PUB?", *calls)
            self.fails(how)
            self.asked("CLOSED", GUESSED, FAILED)
