"""Answers and refusals of methods that only rare circumstances bring, with stand-ins for what they ask."""

from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, succeed

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.api.table import NoRoute, Param, Route, Table, method
from bitdust.automats.kernel import Machine
from tests.api.fakes import Anything, some_storage
from tests.api.test_nouns import NounCase


class Lamp(Machine):
    table = """
      OFF  switch  -  ON   -
      ON   switch  -  OFF  -
    """
    initial = "OFF"
    endless = True


class CallTests(NounCase):
    def test_what_methods_raise(self) -> None:
        """Whatever a method raises is an envelope with a code of its own, at once or later."""
        errors: dict[str, Exception] = {
            "timeout": TimeoutError(30),
            "os-error": OSError(28, "No space left on device", "/x"),
            "bad-argument": BadArgument("no"),
        }
        for code, error in errors.items():
            for late in (False, True):
                failing: Deferred[Any] = Deferred()

                def health(name: str, mine: Any = failing, why: Exception = error, wait: bool = late) -> Any:
                    if not wait:
                        raise why
                    return mine

                self.context.driver.health = health
                asking = perform(self.context, TABLE.named("service_health"), {"service_name": "network"})
                if late:
                    self.assertNoResult(asking)
                    failing.errback(error)
                self.assertEqual(self.successResultOf(asking)["code"], code)

    def test_results_of_every_kind(self) -> None:
        """A method may give an envelope, a dictionary, a list, one value or nothing; all become envelopes."""

        def asked(result: Any) -> dict[str, Any]:
            @method(Route("GET", "/give/v1"))
            def give(context: object) -> Any:
                """Gives."""
                return result

            return self.call_row(give, {})

        self.assertEqual(asked({"status": "OK", "x": 1}), {"status": "OK", "x": 1})
        self.assertEqual(asked({"a": 1}), {"status": "OK", "result": {"a": 1}})
        self.assertEqual(asked([1]), {"status": "OK", "result": [1]})
        self.assertEqual(asked(7), {"status": "OK", "result": [7]})
        for nothing in (None, "", [], {}):
            self.assertEqual(asked(nothing), {"status": "OK"})


class TableTests(NounCase):
    def test_declared_wrongly(self) -> None:
        """A row with an unknown verb, a claimed path, or parameters that its function has not got is no row."""

        @method(Route("GET", "/one/v1"))
        def one(context: object) -> None:
            """One."""

        @method(Route("GET", "/one/v1"))
        def other(context: object) -> None:
            """Another one at the same path."""

        @method(Route("PATCH", "/patch/v1"))
        def patch(context: object) -> None:
            """A verb that nobody knows."""

        for rows in ((one, one), (one, other), (patch,)):
            self.assertRaises(ValueError, Table, rows)
        declare = method(Route("GET", "/x/v1"), params=(Param("a"),))
        self.assertRaises(TypeError, declare, lambda context, b: None)

    def test_templates(self) -> None:
        """A path with a place in it refuses other verbs with those that it takes, and places that are no text."""
        with self.assertRaises(NoRoute) as caught:
            TABLE.find("PATCH", "/config/get/logs/debug-level/v1")
        self.assertEqual(caught.exception.details["allowed"], ["GET"])
        self.assertRaises(BadArgument, TABLE.find, "GET", "/config/get/%ff/v1")

    def test_null(self) -> None:
        """Null stands for the default of a parameter that has one, and is no value of one that has none."""
        self.assertEqual(Param("a", Kind.INTEGER, 7).read(None), 7)
        self.assertRaises(BadArgument, Param("a", Kind.INTEGER).read, None)
        with self.assertRaises(BadArgument) as caught:
            Param("a", Kind.INTEGER).read("x")
        self.assertIn("a", str(caught.exception))


class AutomatTests(NounCase):
    def test_several_of_a_kind(self) -> None:
        """A name that several machines share needs an index; one of them, by number or id, is shown with its moves."""
        lamps = [Lamp(self.context.registry, str(number)) for number in range(2)]
        self.assertEqual(self.code("automat_info", automat_id="lamp"), "bad-argument")
        lamps[1].send("switch")
        for question in ({"index": lamps[1].index}, {"automat_id": "lamp(1)"}):
            row = self.result("automat_info", **question)
            self.assertEqual((row["id"], row["state"], len(row["past"])), ("lamp(1)", "ON", 1))
            self.assertEqual((row["methods"], row["packets"]), ([], []))
        for question in ({"index": 999}, {"automat_id": "no-such"}):
            self.assertEqual(self.code("automat_info", **question), "not-found")
        for question in ({}, {"index": 1, "automat_id": "lamp"}):
            self.assertEqual(self.code("automat_info", **question), "bad-argument")


class FileTests(NounCase):
    def test_stopped(self) -> None:
        """What was stopped is listed with its number; a synchronisation names the machine that does it."""
        stopped = [{"backup_id": "0/F1", "aborted": True}]
        synced: list[int] = []
        self.context.storage = some_storage(
            stop_upload=lambda path: stopped, stop_download=lambda path: [], sync=lambda: synced.append(1)
        )
        answer = self.call("file_upload_stop", remote_path="a")
        self.assertEqual((answer["result"], answer["message"]), (stopped, "1 uploads were stopped"))
        answer = self.call("file_download_stop", remote_path="a")
        self.assertEqual((answer["result"], answer["message"]), ([], "0 downloads were stopped"))
        answer = self.call("files_sync")
        self.assertEqual((answer["automat"], synced), (None, [1]))


class ConfigTests(NounCase):
    def test_a_folder(self) -> None:
        """A folder of settings lists what is in it: settings with values, and folders that have more in them."""
        rows = {row["key"]: row for row in self.result("config_get", key="services")}
        self.assertEqual(rows["services/network"], {"key": "services/network", "childs": True})
        rows = {row["key"]: row for row in self.result("config_get", key="logs")}
        self.assertIn("value", rows["logs/debug-level"])


class NetworkTests(NounCase):
    def test_everything_of_the_status(self) -> None:
        """Each part of the status counts what it is asked for, and nothing where its service is off."""
        customers = [{"idurl": "c", "contact_state": "CONNECTED"}, {"idurl": "d", "contact_state": "OFFLINE"}]
        self.context.customers = Anything(list=lambda: customers)
        sessions = [{"proto": "tcp", "n": 1}, {"proto": "quic", "n": 2}]
        self.context.gateway = Anything(
            connections=lambda: sessions, port=lambda: 8380, connected=lambda who: True, inbox=Anything(rows=list)
        )
        self.context.dht = Anything(port=8480, status=lambda: {"nodes": 3})
        self.context.identity_server = Anything(port=8084)
        self.context.driver.states["identity_server"] = ("ON", "")
        asked = dict.fromkeys(("customers", "tcp", "udp", "dht", "proxy", "cache"), True)
        status = self.result("network_status", **asked)
        self.assertEqual((status["idurl"], status["global_id"]), (None, None))
        self.assertEqual((status["customers"]["connected"], status["customers"]["total"]), (1, 2))
        self.assertEqual((status["tcp"]["port"], status["tcp"]["sessions"]), (8380, sessions[:1]))
        self.assertEqual((status["udp"]["ports"], status["dht"]), ([8480], {"nodes": 3}))
        self.assertEqual((status["proxy"], status["identity_server"]), ({"sessions": []}, {"web_port": 8084}))
        self.assertEqual(status["cache"]["peers"], [{"idurl": str(self.bob.idurl), "connected": True}])
        for name in ("supplier", "entangled_dht", "identity_server"):
            self.context.driver.states[name] = ("OFF", "")
        status = self.result("network_status", **asked)
        self.assertEqual((status["customers"]["peers"], status["udp"]["ports"], status["dht"]), ([], [], {}))
        self.assertNotIn("identity_server", status)

    def test_disconnect(self) -> None:
        """Taking the node off the network stops one service, and names its machine."""
        answer = self.call("network_disconnect")
        self.assertEqual((answer["automat"]["id"], self.context.driver.log), ("network", [("stop", "network")]))


class UserTests(NounCase):
    def test_asked_in_vain(self) -> None:
        """A peer that does not answer within the time that was given is not connected."""
        waiting: Deferred[bool] = Deferred()
        self.context.presence = Anything(state=lambda who: "OFFLINE", ping=lambda who: waiting)
        asking = perform(
            self.context, TABLE.named("user_status_check"), {"user_id": "bob@id.example", "timeout": 3}
        )
        self.clock.advance(2)
        self.assertNoResult(asking)
        self.clock.advance(1)
        answer = self.successResultOf(asking)
        self.assertEqual((answer["code"], answer["contact_state"]), ("not-connected", "OFFLINE"))

    def test_asked_and_answered(self) -> None:
        """One that answers is connected; one that is connected already is not asked."""
        asked: list[bytes] = []
        states = iter(("OFFLINE", "CONNECTED", "CONNECTED", "CONNECTED"))
        self.context.presence = Anything(
            state=lambda who: next(states), ping=lambda who: asked.append(who) or succeed(True)
        )
        for _ in range(2):
            self.assertEqual(self.result("user_status_check", user_id="bob@id.example")["contact_state"], "CONNECTED")
        self.assertEqual(asked, [self.bob.fingerprint])


class TrafficTests(NounCase):
    def test_what_moves(self) -> None:
        """Packets both ways, bytes since the start, and pieces by supplier are shown as the rooms count them."""
        self.context.gateway = Anything(
            outbox=Anything(packets=lambda: [{"packet_id": "o"}]),
            inbox=Anything(packets=lambda: [{"packet_id": "i"}]),
            traffic=lambda: {"in": {"bytes": 1}, "out": {"bytes": 2}},
        )
        self.context.storage = some_storage(transfers=lambda: [{"idurl": "x"}])
        self.assertEqual([row["packet_id"] for row in self.result("packets_list")], ["o", "i"])
        self.assertEqual(self.result("packets_stats")["out"], {"bytes": 2})
        self.assertEqual(self.result("transfers_list"), [{"idurl": "x"}])


class ServiceTests(NounCase):
    def test_as_a_tree(self) -> None:
        """The list by distance from the ground begins with what needs nothing."""
        distances = {"network": 0, "gateway": 2, "supplier": 1}
        info = self.context.driver.info

        def with_distance(name: str) -> dict[str, Any]:
            row = info(name)
            return row | {"root_distance": distances.get(row["id"], 9)}

        self.context.driver.info = with_distance
        rows = self.result("services_list", as_tree=True)
        self.assertEqual([row["name"] for row in rows[:3]], ["service_network", "service_supplier", "service_gateway"])


class DhtTests(NounCase):
    def test_local_records(self) -> None:
        """What this node keeps for the DHT is listed as the DHT node shows it."""
        self.context.dht = Anything(local_records=lambda: [{"key": "ab"}])
        self.assertEqual(self.result("dht_local_db_dump"), [{"key": "ab"}])


