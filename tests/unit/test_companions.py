"""Devices that are let in by codes, come back with their keys, and are shut out."""

import json
import os
import stat
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail

from bitdust.companions.book import MOST
from bitdust.companions.companions import Wish
from bitdust.companions.grants import DOMAIN, code_of
from bitdust.companions.line import MAX_MESSAGE, PART
from bitdust.crypt.device import verify
from bitdust.testing.apps import App
from bitdust.wire.errors import BitDustError
from tests.unit.companion_kit import CompanionCase


class LettingInTests(CompanionCase):
    def test_codes_on_both_screens(self) -> None:
        """Both show the same two codes; once each is typed at the other side the device is let in, for good."""
        phone = self.add()
        self.assertEqual(phone.shown()["state"], "CLIENT_PUB?")
        carrier = self.pair(phone)
        self.assertEqual((phone.shown()["state"], phone.shown()["server_code"]), ("SERVER_CODE?", self.app.codes.node))
        self.type_code(phone)
        self.assertEqual(phone.shown()["state"], "CLIENT_CODE?")
        self.result(self.house.client_code("phone", self.app.codes.device))
        self.settle()
        self.assertEqual((phone.shown()["state"], phone.shown()["server_code"]), ("READY", None))
        self.assertEqual(([code for code, _ in carrier.closed], self.app.authorized), ([1000], True))
        self.come_back(phone)
        self.app.call("process_health")
        self.settle()
        (talk,) = self.desk.talks
        self.assertEqual(json.loads(talk.heard[0])["method"], "process_health")
        talk.socket.write(b'{"type": "event", "payload": 1}')
        self.settle()
        self.assertEqual(self.app.heard, [{"type": "event", "payload": 1}])
        names = self.events.names()
        for name in ("device-added", "web-socket-handshake-started", "device-authorized", "device-connected"):
            self.assertIn(name, names)

    def test_after_a_restart(self) -> None:
        """It comes back with the same key; only the owner of the home reads the file."""
        self.let_in(self.add())
        path = self.home / "devices" / "phone"
        self.assertEqual(
            (stat.S_IMODE(os.stat(path).st_mode), stat.S_IMODE(os.stat(path.parent).st_mode)), (0o600, 0o700)
        )
        self.house.stop()
        self.house = self.build()
        self.result(self.house.start())
        self.come_back(self.house.running["phone"])
        self.assertEqual(len(self.desk.talks), 1)

    def test_long_messages(self) -> None:
        """They go in parts, both ways."""
        phone = self.add()
        self.let_in(phone)
        self.come_back(phone)
        self.app.say("x" * (3 * PART + 5))
        self.settle()
        self.assertEqual(len(self.desk.talks[0].heard[0]), 3 * PART + 5)
        self.desk.talks[0].socket.write(json.dumps({"type": "y" * (2 * PART)}).encode())
        self.settle()
        self.assertEqual(self.app.heard, [{"type": "y" * (2 * PART)}])

    def test_too_long(self) -> None:
        """A message over a megabyte ends the line, before it is whole."""
        phone = self.add()
        self.let_in(phone)
        carrier = self.come_back(phone)
        self.app.say("x" * (MAX_MESSAGE + 1))
        self.settle()
        self.assertEqual((carrier.closed[0][0], self.desk.talks[0].heard, self.desk.talks[0].ended), (4001, [], True))

    def test_a_full_carrier(self) -> None:
        """The API rests while the device does not read."""
        phone = self.add()
        self.let_in(phone)
        carrier = self.come_back(phone)
        carrier.line.pause()
        self.assertTrue(self.desk.talks[0].paused)
        carrier.line.go_on()
        self.assertFalse(self.desk.talks[0].paused)
        self.desk.talks[0].socket.read_on(False)
        self.assertFalse(carrier.reading)

    def test_the_disk_is_full(self) -> None:
        """Who cannot be kept is not told that it was let in."""
        phone = self.add()
        carrier = self.pair(phone)
        self.type_code(phone)
        self.patch(self.house.book, "_run_in_thread", lambda *call: fail(OSError(28, "no space")))
        typing = Deferred.fromCoroutine(self.house.client_code("phone", self.app.codes.device))
        self.assertEqual(self.failureResultOf(typing, BitDustError).value.code, "handshake-failed")
        self.assertEqual((self.app.authorized, phone.shown()["state"]), (False, "CLIENT_PUB?"))
        self.assertEqual(carrier.closed[0][0], 4003)
        self.app.node_key = phone.record.node_public
        self.come_back(phone)
        self.assertEqual(self.desk.talks, [])
        self.flushLoggedErrors(OSError)

    def test_codes_out_of_turn(self) -> None:
        """A code that nobody waits for gets a reason, whatever it is."""
        self.refused("not-found", "phone", "1")
        phone = self.add()
        self.refused("not-ready", "phone", "1")
        self.pair(phone)
        self.refused("not-ready", "phone", self.app.codes.device)
        self.result(self.house.shut("phone"))
        self.refused("not-ready", "phone", self.app.codes.device)

    def refused(self, code: str, name: str, typed: str) -> None:
        typing = Deferred.fromCoroutine(self.house.client_code(name, typed))
        self.assertEqual(self.failureResultOf(typing, BitDustError).value.code, code)


class ShuttingOutTests(CompanionCase):
    def setUp(self) -> None:
        super().setUp()
        self.phone = self.add()
        self.let_in(self.phone)
        self.carrier = self.come_back(self.phone)

    def gone(self) -> None:
        """The line ended at once, and nothing that comes on it is heard."""
        (talk,) = self.desk.talks
        self.assertEqual((self.carrier.closed[0][0], talk.ended), (4003, True))
        self.carrier.closed.clear()
        self.app.say("more")
        self.settle()
        self.assertEqual(talk.heard, [])

    def refused(self) -> None:
        """It does not come back."""
        carrier = self.come_back(self.house.running["phone"])
        self.assertEqual((carrier.closed[0][0], len(self.desk.talks)), (4003, 1))

    def test_stop(self) -> None:
        """Stopped it is gone until it is started again, after a restart of the node as well."""
        self.result(self.house.shut("phone"))
        self.gone()
        self.house.stop()
        self.house = self.build()
        self.result(self.house.start())
        self.assertEqual(self.house.running, {})
        self.come_back(self.result(self.house.open("phone")))
        self.assertEqual(len(self.desk.talks), 1)

    def test_stop_for_now(self) -> None:
        """Without ``deactivate`` it is there again after a restart."""
        self.result(self.house.shut("phone", deactivate=False))
        self.gone()
        self.house.stop()
        self.house = self.build()
        self.result(self.house.start())
        self.assertEqual(list(self.house.running), ["phone"])

    def test_reset(self) -> None:
        """Its key counts no more; another one may be let in, and the key of this node is another one."""
        before = self.phone.record.node_public
        self.result(self.house.reset("phone"))
        self.gone()
        opened = self.result(self.house.open("phone"))
        self.assertNotEqual(opened.record.node_public, before)
        self.refused()
        other = App(self.random.randbytes)
        self.let_in(opened, other)
        self.refused()

    def test_remove(self) -> None:
        """Nothing is known of it any more."""
        self.result(self.house.remove("phone"))
        self.gone()
        self.assertEqual((list((self.home / "devices").iterdir()), self.house.rows_shown()), ([], []))

    def test_in_the_middle_of_letting_in(self) -> None:
        """Shut out while the key is being kept it is not let in."""
        tablet, app = self.add("tablet"), App(self.random.randbytes)
        self.pair(tablet, app)
        self.type_code(tablet, app)
        kept: Deferred[None] = Deferred()
        run = self.house.book._run_in_thread
        self.house.book._run_in_thread = lambda *call: kept.addCallback(lambda _: run(*call))
        typing = Deferred.fromCoroutine(self.house.client_code("tablet", app.codes.device))
        self.assertEqual(tablet.shown()["state"], "KEEPING")
        resetting = Deferred.fromCoroutine(self.house.reset("tablet"))
        self.assertEqual(self.failureResultOf(typing, BitDustError).value.code, "handshake-failed")
        self.house.book._run_in_thread = run
        kept.callback(None)
        self.assertEqual(self.successResultOf(resetting).app_key, b"")
        self.assertEqual((self.build().book.of("tablet").app_key, app.authorized), (b"", False))

    def test_the_service_stops(self) -> None:
        """Lines end with it."""
        self.house.stop()
        self.gone()


class GrantTests(CompanionCase):
    def test_a_key_that_was_brought(self) -> None:
        """A device whose key came by another way is let in without codes, and what it gets is signed."""
        self.result(self.house.add(Wish("phone", False)))
        grant = self.result(self.house.grant("phone", self.app.public))
        said = json.loads(grant.auth_info)
        self.assertEqual(said["client_public_key"], self.app.public.hex())
        signed = DOMAIN + grant.auth_info.encode()
        self.assertTrue(verify(self.me.device.public, bytes.fromhex(grant.signature), signed))
        self.app.node_key = bytes.fromhex(grant.server_public_key)
        self.come_back(self.result(self.house.open("phone")))
        self.assertEqual(len(self.desk.talks), 1)

    def test_not_while_it_is_started(self) -> None:
        """Nobody's place is taken while it is used."""
        self.add()
        granting = Deferred.fromCoroutine(self.house.grant("phone", self.app.public))
        self.assertEqual(self.failureResultOf(granting, BitDustError).value.code, "device-started")

    def test_the_code_of_a_key(self) -> None:
        """As in docs/api/devices-wire.md."""
        self.assertEqual(code_of(bytes(range(32))), "807929")


class BookTests(CompanionCase):
    def refused(self, code: str, coroutine: object) -> None:
        self.assertEqual(self.failureResultOf(Deferred.fromCoroutine(coroutine), BitDustError).value.code, code)

    def test_names_and_places(self) -> None:
        """Names are short and plain; a device is on this machine, or comes through a router."""
        for name in ("", "../x", ".x", "a/b", "x" * 41, "a b", "ü"):
            self.refused("bad-argument", self.house.add(Wish(name, False)))
        self.refused("bad-argument", self.house.add(Wish("phone", False, "192.0.2.1")))
        self.result(self.house.add(Wish("phone", True, "192.0.2.1")))
        self.refused("exists", self.house.add(Wish("phone", False)))

    def slow_disk(self) -> list["Deferred[None]"]:
        """What is written is so when the test says so, whether somebody waits or not."""
        gates, run = list[Deferred[None]](), self.house.book._run_in_thread

        def slowly(call: Any, *given: Any) -> "Deferred[Any]":
            gate, done = Deferred[None](), Deferred[Any]()
            gates.append(gate)
            gate.addCallback(lambda _: run(call, *given)).addBoth(lambda result: done.called or done.callback(result))
            return done

        self.house.book._run_in_thread = slowly
        return gates

    def give_up(self, work: Coroutine[Any, Any, Any]) -> None:
        begun = Deferred.fromCoroutine(work)
        begun.addErrback(lambda failure: failure.trap(CancelledError))
        begun.cancel()

    def test_nobody_waits_for_a_reset(self) -> None:
        """Whoever hangs up while it is written: what is on the disk counts, and who was let in is let in no more."""
        self.let_in(self.add())
        gates = self.slow_disk()
        self.give_up(self.house.reset("phone"))
        gates.pop().callback(None)
        self.assertEqual((self.house.book.of("phone").app_key, self.build().book.of("phone").app_key), (b"", b""))

    def test_nobody_waits_for_a_removal(self) -> None:
        """Nothing else is written at the same time."""
        self.result(self.house.add(Wish("phone", False)))
        gates = self.slow_disk()
        self.give_up(self.house.remove("phone"))
        again = Deferred.fromCoroutine(self.house.add(Wish("phone", True)))
        self.assertEqual(len(gates), 1)
        for gate in gates:
            gate.callback(None)
        self.assertTrue(self.successResultOf(again).routed)
        self.assertTrue(self.build().book.of("phone").routed)

    def test_nobody_waits_for_an_opening(self) -> None:
        """Whoever hangs up while a port is noted: the device can come on it, now and after each start."""
        self.add()
        self.result(self.house.add(Wish("tablet", False)))
        run, gates = self.house.book._run_in_thread, self.slow_disk()
        opening = Deferred.fromCoroutine(self.house.open("tablet"))
        gates.pop().callback(None)
        opening.addErrback(lambda failure: failure.trap(CancelledError))
        opening.cancel()
        gates.pop().callback(None)
        self.house.book._run_in_thread = run
        self.let_in(self.result(self.house.open("tablet")))
        self.assertEqual((self.house.deaf(), self.house.book.of("tablet").active), ([], True))

    def test_a_port_that_cannot_be_noted(self) -> None:
        """A full disk leaves no device open for one half: its port is free, others start, and it is tried again."""
        self.add()
        self.result(self.house.add(Wish("tablet", False)))
        run, gates = self.house.book._run_in_thread, [True, False]
        self.house.book._run_in_thread = lambda *call: run(*call) if gates.pop(0) else fail(OSError(28, "no space"))
        self.failureResultOf(Deferred.fromCoroutine(self.house.open("tablet")), OSError)
        self.assertEqual((list(self.house.running), len(self.around.world.network.listening)), (["phone"], 1))
        self.house.stop()
        self.house = self.build()
        gates[:] = [False]
        self.house.book._run_in_thread = lambda *call: run(*call) if gates.pop(0) else fail(OSError(28, "no space"))
        self.result(self.house.start())
        self.assertEqual((list(self.house.running), list(self.house.problems)), (["phone"], ["tablet"]))
        self.house.book._run_in_thread = run
        self.let_in(self.result(self.house.open("tablet")))

    def test_shut_out_while_it_is_opened(self) -> None:
        """Whoever shuts a device out while it is being opened finds it closed afterwards, whatever the disk did."""
        run = self.house.book._run_in_thread
        self.result(self.house.add(Wish("phone", False)))
        for shut in (self.house.shut, self.house.reset, self.house.remove):
            self.result(self.house.shut("phone"))
            writes = list[Deferred]()

            def later(*call: Any, writes: list[Deferred] = writes) -> Deferred:
                writes.append(Deferred())
                return writes[-1].addCallback(lambda _: run(*call))

            self.house.book._run_in_thread = later
            opening = Deferred.fromCoroutine(self.house.open("phone"))
            shutting = Deferred.fromCoroutine(shut("phone"))
            opening.addErrback(lambda _: None)
            writes[0].callback(None)
            self.assertNoResult(shutting)
            writes[1].callback(None)
            self.successResultOf(shutting)
            self.assertEqual(self.house.running, {})
            self.house.book._run_in_thread = run

    def test_opened_while_the_service_starts(self) -> None:
        """It is opened once: who shuts it out later ends all of its lines."""
        self.add("one"), self.add("two")
        self.house.stop()
        self.house = self.build()
        first, listen, made = Deferred(), self.house._listen, list[str]()

        async def listening(companion: Any, record: Any) -> Any:
            made.append(record.name)
            if record.name == "one":
                await first
            return await listen(companion, record)

        self.patch(self.house, "_listen", listening)
        starting = Deferred.fromCoroutine(self.house.start())
        self.result(self.house.open("two"))
        first.callback(None)
        self.successResultOf(starting)
        self.assertEqual((made, self.house.problems), (["one", "two"], {}))
        self.assertEqual(sorted(self.house.running), ["one", "two"])

    def test_too_many(self) -> None:
        """There is a limit."""
        for number in range(MOST):
            self.result(self.house.add(Wish(f"phone-{number}", False)))
        self.refused("too-many-devices", self.house.add(Wish("phone", False)))

    def test_a_damaged_file(self) -> None:
        """It is shown, stops no other device, is not written over, and can be removed."""
        self.let_in(self.add())
        self.result(self.house.add(Wish("tablet", False)))
        path = self.home / "devices" / "tablet"
        for data in (
            b"{",
            b"[]",
            b'{"version": 2}',
            b"x" * 20_000,
            path.read_bytes().replace(b'"label": "', b'"label": "00'),
        ):
            path.write_bytes(data)
            self.house.stop()
            self.house = self.build()
            self.result(self.house.start())
            self.assertEqual(list(self.house.running), ["phone"])
            self.assertIn("cannot be read", self.house.rows_shown()[1]["problem"])
            self.refused("damaged-device", self.house.open("tablet"))
            self.refused("exists", self.house.add(Wish("tablet", False)))
            self.assertEqual(path.read_bytes(), data)
        self.result(self.house.remove("tablet"))
        self.assertFalse(path.exists())

    def test_ports(self) -> None:
        """The first gets the usual port, the next one a free one and keeps it; a chosen port that is taken is said."""
        first, second = self.add("one"), self.add("two")
        self.assertEqual(first.door.urls(), ["ws://10.0.0.1:8281/"])
        port = self.house.book.of("two").port
        self.assertEqual(second.door.urls(), [f"ws://10.0.0.1:{port}/"])
        self.result(self.house.add(Wish("three", False, port=8281)))
        self.result(self.house.add(Wish("four", False, port=port)))
        self.refused("port-taken", self.house.open("four"))
        self.assertEqual((self.house.running.keys(), self.house.deaf()), ({"one", "two"}, []))
        second.door._listening.stopListening()
        self.assertEqual(self.house.deaf(), ["two"])
