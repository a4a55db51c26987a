"""Those who want in without being let in: in between, with old messages, with guesses, and with too much."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.api.methods import TABLE
from bitdust.automats.encrypted_web_socket import HANDSHAKES, TRIES
from bitdust.companions.companion import MOST_LINES
from bitdust.companions.line import PAIRING, RESUMING
from bitdust.crypt.comparison import codes, commitment
from bitdust.crypt.noise import MOST
from bitdust.testing.apps import App
from bitdust.web.companions import not_from_afar
from bitdust.wire.errors import BitDustError
from tests.unit.companion_kit import Carrier, CompanionCase


class InBetween:
    """Mallory, who is a node to the app and an app to the node, with keys of its own on both sides."""

    def __init__(self, case: CompanionCase, companion: Any) -> None:
        self.case = case
        self.to_node = App(case.random.randbytes)
        self.fake = case.add("fake")
        self.from_app = case.pair(self.fake)
        self.at_node = case.pair(companion, self.to_node)


class InBetweenTests(CompanionCase):
    def test_the_codes_differ(self) -> None:
        """Both persons see codes that belong to other handshakes: neither is right at the other side."""
        phone = self.add()
        mallory = InBetween(self, phone)
        shown = phone.shown()["server_code"]
        self.assertNotEqual((shown, mallory.to_node.codes.device), (self.app.codes.node, self.app.codes.device))
        self.assertFalse(self.app.type_code(shown))
        mallory.to_node.type_code(shown)
        self.settle()
        for _ in range(TRIES):
            typing = Deferred.fromCoroutine(self.house.client_code("phone", self.app.codes.device))
            self.assertEqual(self.failureResultOf(typing, BitDustError).value.code, "wrong-code")
        self.settle()
        self.assertEqual((phone.shown()["state"], phone.record.app_key), ("CLIENT_PUB?", b""))
        self.assertEqual(mallory.at_node.closed[0][0], 4003)

    def test_a_number_that_is_changed(self) -> None:
        """Who commits itself to one number and shows another, so that the codes fit, is found out by the app."""
        phone = self.add()
        self.line(phone, self.app)
        self.app.pair()
        self.settle()
        agreed, theirs = self.app.agreed, self.app._nonce
        wanted = "123456"
        fitting = next(
            number.to_bytes(32, "big")
            for number in range(10**9)
            if codes(theirs, number.to_bytes(32, "big"), agreed.hash).node[:2] == wanted[:2]
        )
        self.assertRaises(ValueError, self.app.show, fitting)

    def test_what_is_known_before_the_number(self) -> None:
        """What the node has said before it hears the app's number tells nothing of the codes: it is a MAC under the
        number that is still hidden."""
        hidden, handshake = b"n" * 32, b"h" * 32
        said = commitment(hidden, handshake)
        made = [codes(bytes((byte,)) * 32, hidden, handshake) for byte in range(5)]
        self.assertEqual(len({one.device for one in made}), 5)
        self.assertNotIn(hidden, said)

    def test_the_pairing_line_is_no_session(self) -> None:
        """Before the codes were typed nothing reaches the API, whatever is said."""
        phone = self.add()
        carrier = self.pair(phone)
        self.app.call("process_stop")
        self.settle()
        self.assertEqual((self.desk.talks, carrier.closed[0][0], phone.shown()["state"]), ([], 4001, "CLIENT_PUB?"))


class ReplayTests(CompanionCase):
    def setUp(self) -> None:
        super().setUp()
        self.phone = self.add()
        self.let_in(self.phone)
        self.sent: list[bytes] = []
        carrier = self.line(self.phone, self.app)
        receive = carrier.receive
        self.app.transmit = lambda data: (self.sent.append(data), receive(data))
        self.app.resume()
        self.settle()
        self.app.call("process_health")
        self.settle()
        self.carrier = carrier

    def test_an_old_session(self) -> None:
        """Every message of an earlier session, said again: the handshake is answered, and nothing is opened."""
        again = self.line(self.phone)
        for data in self.sent:
            again.receive(data)
            self.settle()
        self.assertEqual((len(self.desk.talks), len(self.desk.talks[0].heard)), (1, 1))
        self.assertEqual(again.closed[0][0], 4001)

    def test_a_message_twice(self) -> None:
        """It ends the line, and is heard once."""
        self.carrier.receive(self.sent[-1])
        self.settle()
        self.assertEqual((self.carrier.closed[0][0], len(self.desk.talks[0].heard)), (4001, 1))

    def test_what_the_node_said(self) -> None:
        """Sent back to it, it opens nothing: each direction has a key of its own."""
        self.carrier.receive(self.carrier.said[-1])
        self.settle()
        self.assertEqual(self.carrier.closed[0][0], 4001)

    def test_a_first_message_alone(self) -> None:
        """Who only replays the first message is cut off after ten seconds."""
        again = self.line(self.phone)
        again.receive(self.sent[0])
        self.settle()
        self.clock.advance(10)
        self.assertEqual((again.closed[0][0], len(self.desk.talks)), (4002, 1))


class GuessTests(CompanionCase):
    def test_codes(self) -> None:
        """At most three a handshake and five handshakes: then nobody is let in until the person starts it anew."""
        phone = self.add()
        for _ in range(HANDSHAKES):
            app = App(self.random.randbytes)
            self.pair(phone, app)
            self.type_code(phone, app)
            wrong = "000000" if app.codes.device != "000000" else "000001"
            for _ in range(TRIES):
                typing = Deferred.fromCoroutine(self.house.client_code("phone", wrong))
                self.failureResultOf(typing, BitDustError)
            self.settle()
        self.assertEqual((phone.is_over, self.house.running), (True, {}))
        shown = self.house.shown(self.house.book.of("phone"))
        self.assertIn("not confirmed", shown["problem"])
        phone = self.result(self.house.open("phone"))
        self.let_in(phone)

    def test_unseen_failures_count(self) -> None:
        """Who ends its own handshakes after it has seen the codes gets no more of them than others."""
        phone = self.add()
        for _ in range(HANDSHAKES):
            carrier = self.pair(phone, App(self.random.randbytes))
            carrier.line.lost()
        self.assertTrue(phone.is_over)

    def test_keys(self) -> None:
        """A key that was not let in is refused, whether or not anybody else was."""
        phone = self.add()
        stranger = App(self.random.randbytes)
        stranger.node_key = phone.record.node_public
        self.assertEqual(self.come_back(phone, stranger).closed[0][0], 4003)
        self.let_in(phone)
        self.assertEqual(self.come_back(phone, stranger).closed[0][0], 4003)
        pairing = self.pair(phone, stranger)
        self.assertEqual((pairing.closed[0][0], self.desk.talks), (4003, []))

    def test_two_at_once(self) -> None:
        """While one is being let in, another one is refused, and the codes stay those of the first."""
        phone = self.add()
        self.pair(phone)
        before = phone.shown()
        other = self.pair(phone, App(self.random.randbytes))
        self.assertEqual((other.closed[0][0], phone.shown()), (4003, before))


class TooMuchTests(CompanionCase):
    def test_nonsense(self) -> None:
        """Whatever comes first, the line ends with a reason, and the device can still be let in."""
        phone = self.add()
        pair, resume = bytes((PAIRING,)), bytes((RESUMING,))
        kinds = (b"", b"\x00", b"\x03" * 40, b"{}", pair, resume, pair + bytes(31))
        for data in (*kinds, pair + bytes(MOST), resume + b"x" * 96, pair + b"y" * 64):
            carrier = self.line(phone)
            carrier.receive(data)
            self.settle()
            self.assertIn(carrier.closed[0][0], (4001, 4003), data[:40])
        self.let_in(phone)
        self.assertEqual(len(phone.lines), 0)

    def test_nonsense_while_it_is_let_in(self) -> None:
        """Sealed nonsense as well, at each step."""
        phone = self.add()
        for text in ("", "x", "[]", '{"pairing": 1}', '{"pairing": {"nonce": "zz"}}', '{"pairing": {"nonce": "00"}}',
                     '{"pairing": {"confirmed": 1}}', "[" * 5000):  # fmt: skip
            for steps in (1, 2):
                phone = self.result(self.house.open("phone"))
                app = App(self.random.randbytes)
                carrier = self.line(phone, app)
                if steps == 1:
                    app._take = lambda said, app=app, text=text: app.say(text)
                app.pair()
                self.settle()
                if steps == 2:
                    app.say(text)
                    self.settle()
                self.assertEqual(carrier.closed[0][0], 4001, (text[:40], steps))

    def test_many_that_say_nothing(self) -> None:
        """They make room for who comes next; those who are let in stay."""
        phone = self.add()
        self.let_in(phone)
        self.come_back(phone)
        silent = [self.line(phone) for _ in range(MOST_LINES + 5)]
        self.assertEqual(len(phone.lines), MOST_LINES)
        self.assertTrue(all(carrier.closed for carrier in silent[:5]))
        self.come_back(phone)
        self.assertEqual(phone.shown()["connections"], 2)
        self.clock.advance(10)
        self.assertEqual(len(phone.lines), 2)

    def test_too_many_of_its_own(self) -> None:
        """A device has so many lines and no more."""
        phone = self.add()
        self.let_in(phone)
        for _ in range(MOST_LINES):
            self.come_back(phone)
        more = Carrier(self.clock, None)
        self.assertIsNone(phone.accept(more))
        self.assertEqual((more.closed[0][0], phone.shown()["connections"]), (1013, MOST_LINES))


class StayingTests(CompanionCase):
    def test_what_keeps_a_thief_in(self) -> None:
        """A device can neither let others in nor take keys away: once shut out, it is out."""
        refused = {
            "device_add": {}, "device_start": {}, "device_authorization_request": {},
            "device_authorization_generate": {}, "device_authorization_reset": {},
            "device_authorization_client_code": {}, "identity_backup": {}, "identity_erase": {}, "identity_detach": {},
            "identity_attach": {}, "websocket_ticket": {}, "key_get": {"include_private": "1"},
            "keys_list": {"include_private": True}, "key_create": {"include_private": True},
        }  # fmt: skip
        for name, given in refused.items():
            error = self.assertRaises(BitDustError, not_from_afar, TABLE.named(name), given)
            self.assertEqual(error.code, "only-here", name)
        for name, given in {"key_get": {"include_private": False}, "device_stop": {}, "process_health": {}}.items():
            not_from_afar(TABLE.named(name), given)

    def test_files_of_the_machine(self) -> None:
        """A device cannot have the key file of the node uploaded and shared with a thief, nor a program written that
        starts by itself, under any name that a generation has for it; where its person wants it, it may name files."""
        names = ("file_upload_start", "file_download_start", "file_explore", "message_export", "network_create",
                 "backup_start_path", "backup_file_add", "restore_single")  # fmt: skip
        for name in names:
            row = TABLE.named(name) or TABLE.named(name, "2016")
            self.assertEqual(self.assertRaises(BitDustError, not_from_afar, row, {}).code, "only-here", name)
            not_from_afar(row, {}, local_files=True)
        for generation in ("", "2016"):
            row = TABLE.named("config_set", generation)
            self.assertRaises(BitDustError, not_from_afar, row, {"key": "paths/restore"}, local_files=True)

    def test_every_row_that_takes_a_local_path(self) -> None:
        """Whatever takes a path of the machine says so."""
        words = ("local_path", "destination_path", "destination_filepath", "filepath", "dirpath", "source_filepath")
        known = {"identity_backup_check", "backup_queue", "backup_delete_path"}
        open_rows = [
            row.name
            for row in TABLE
            for param in row.params
            if {param.name, *param.aliases} & set(words) and not (row.only_here or row.local_files)
        ]
        self.assertEqual(sorted(set(open_rows) - known), [])

    def test_every_row_that_gives_keys(self) -> None:
        """Whatever asks for a private key, or gives one, is for this machine alone."""
        open_rows = [
            row.name
            for row in TABLE
            for param in row.params
            if param.name == "include_private" and not (row.only_here or param.only_here) and row.name != "key_share"
        ]
        self.assertEqual(open_rows, [])
