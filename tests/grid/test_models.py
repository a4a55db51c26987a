"""Live models of a whole node: what is pushed when something happens, and to whom."""

import json
from typing import Any

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.testing.grid import GridNode
from bitdust.web.answers import Answers
from bitdust.web.listening import Models, SocketListener
from bitdust.web.outflow import Outflow
from tests.grid.test_main_job import NO_CUSTOMER, GridCase


class FakeSocket:
    """A client of a node's models; ``room`` makes it pause as a full transport does."""

    def __init__(self, case: "ModelCase", node: GridNode, models: Models) -> None:
        self.case = case
        self.sent: list[dict[str, Any]] = []
        self.outflow = Outflow(node.node.world.clock, node.node.events, self, Answers.alone(node.node.world.clock))
        self.outflow.choose(lambda event_id: False)
        self.listener = SocketListener(models, lambda: self.outflow)
        self.context: Any = node.node.context.heard_by(self.listener)

    def write(self, data: bytes) -> None:
        self.sent.append(json.loads(data))

    def read_on(self, on: bool) -> None:
        pass

    def end(self, code: int, reason: str) -> None:
        raise AssertionError(reason)

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        row = TABLE.named(method)
        assert row is not None
        return self.case.grid.wait(perform(self.context, row, arguments))

    def take(self, model: str) -> list[dict[str, Any]]:
        """Snapshots since the last time."""
        self.case.grid.run(1)
        sent, self.sent = self.sent, []
        return [one["payload"] for one in sent if one["type"] == "model" and one["payload"]["name"] == model]

    def close(self) -> None:
        self.listener.close()
        self.outflow.stop()


class ModelCase(GridCase):
    def socket(self, node: GridNode) -> FakeSocket:
        models = Models(node.node.context)
        self.addCleanup(models.close)
        socket = FakeSocket(self, node, models)
        self.addCleanup(socket.close)
        return socket


class ServiceAndKeyTests(ModelCase):
    def test_services(self) -> None:
        """Every step of a service is pushed with its row; all of them at once when that is asked."""
        socket = self.socket(self.seed)
        answer = socket.call("enable_model_listener", model_name="service", request_all=True)
        count = len(self.seed.node.driver.list())
        self.assertEqual(answer["result"], {"model_name": "service", "enabled": True, "pushed": count})
        self.assertEqual(len(socket.take("service")), count)
        socket.call("service_stop", service_name="identity_server")
        socket.call("service_start", service_name="identity_server")
        steps = [(one["id"], one["data"]["event"], one["data"]["state"]) for one in socket.take("service")]
        self.assertEqual(steps[-1], ("service_identity_server", "started", "ON"))
        self.assertIn(("service_identity_server", "stopped", "OFF"), steps)
        socket.call("disable_model_listener", model_name="service")
        socket.call("service_stop", service_name="identity_server")
        self.assertEqual(socket.take("service"), [])
        self.assertEqual(self.seed.node.registry._observers, [])

    def test_each_socket_for_itself(self) -> None:
        """A socket gets only what it has enabled itself."""
        models = Models(self.seed.node.context)
        self.addCleanup(models.close)
        one, other = FakeSocket(self, self.seed, models), FakeSocket(self, self.seed, models)
        one.call("enable_model_listener", model_name="service")
        one.call("service_stop", service_name="identity_server")
        self.assertTrue(one.take("service"))
        self.assertEqual(other.take("service"), [])
        one.close()
        one.call("service_start", service_name="identity_server")
        self.assertEqual(one.take("service"), [])

    def test_keys_wait_for_their_service(self) -> None:
        """Before there is an identity the snapshots are postponed; they come with it, then every change."""
        alice = self.grid.add("alice", **NO_CUSTOMER)
        alice.start()
        socket = self.socket(alice)
        answer = socket.call("enable_model_listener", model_name="key", request_all=True)
        self.assertIn("service_keys_registry is", answer["result"]["postponed"])
        alice.create_identity()
        self.grid.until(lambda: alice.is_on("keys_registry"))
        [master] = {one["id"]: one for one in socket.take("key")}.values()
        self.assertEqual(master["id"], f"master${alice.rooms.identity.me.global_id}")
        self.assertNotIn("private", master["data"])
        socket.call("key_create", key_alias="cats", label="Cats")
        [made] = socket.take("key")
        self.assertEqual((made["data"]["event"], made["data"]["label"]), ("generated", "Cats"))
        socket.call("key_label", key_id="cats", label="Dogs")
        [named] = socket.take("key")
        self.assertEqual((named["id"], named["data"]["event"], named["data"]["label"]), (made["id"], "renamed", "Dogs"))
        socket.call("key_erase", key_id="cats")
        [gone] = socket.take("key")
        self.assertEqual((gone["id"], gone["deleted"], gone["data"]["event"]), (made["id"], True, "erased"))

    def test_request(self) -> None:
        """All of a model, or one snapshot by its id, without being enabled."""
        socket = self.socket(self.seed)
        one = {"id": "service_network"}
        answer = socket.call("request_model_data", model_name="service", query_details=one)
        self.assertEqual(answer["result"], {"model_name": "service", "pushed": 1})
        self.assertEqual([row["id"] for row in socket.take("service")], ["service_network"])
        for query, code in (({"id": "x"}, "not-found"), ({"a": 1}, "bad-argument"), ([1], "bad-argument")):
            answer = socket.call("request_model_data", model_name="service", query_details=query)
            self.assertEqual(answer["code"], code)

    def test_what_is_no_model(self) -> None:
        """Unknown ones are refused with a code."""
        socket = self.socket(self.seed)
        for method in ("enable_model_listener", "disable_model_listener", "request_model_data"):
            self.assertEqual(socket.call(method, model_name="weather")["code"], "unknown-model")

    def test_a_slow_client(self) -> None:
        """Whoever does not read gets a notice instead of snapshots without end, and can ask for all of them anew."""
        socket = self.socket(self.seed)
        socket.call("enable_model_listener", model_name="service")
        socket.outflow.pause()
        for _ in range(1_500):
            socket.listener.push("service", b"{}")
        self.assertEqual(socket.outflow.waiting[0], 1_000)
        socket.write = lambda data: socket.sent.append(json.loads(data) or {"type": "filler"})
        socket.outflow.go_on()
        self.grid.run(1)
        self.assertEqual(socket.sent[-1], {"type": "gap", "payload": {"reason": "too slow", "model": "service"}})
        self.assertEqual(len(socket.sent), 1_001)
        socket.listener.push("service", b'{"type": "again"}')
        self.assertEqual(socket.sent[-1], {"type": "again"})


class FileTests(ModelCase):
    def test_files_and_contacts(self) -> None:
        """Contacts that come and go, items that are made, filled and deleted, versions that become safe."""
        self.add_suppliers(2)
        alice = self.add_customer(**{"services/customer/suppliers-number": 2})
        socket = self.socket(alice)
        for model in ("private_file", "remote_version", "online_status"):
            socket.call("enable_model_listener", model_name=model, request_all=True)
        known = {one["id"]: one["data"] for one in socket.take("online_status")}
        names = {supplier.rooms.identity.me.global_id for supplier in self.suppliers}
        self.assertTrue(names <= {data["global_id"] for data in known.values()})
        self.assertEqual({data["username"] for data in known.values() if data["state"] == "CONNECTED"} - {""},
                         {supplier.name for supplier in self.suppliers})  # fmt: skip

        path, _ = self.file("cat.jpg")
        socket.call("file_create", remote_path="cats/cat.jpg")
        made = {one["data"]["path"]: one for one in socket.take("private_file")}
        self.assertEqual(set(made), {"cats", "cats/cat.jpg"})
        ident = made["cats/cat.jpg"]["id"]
        self.assertEqual(socket.call("file_info", remote_path=ident)["result"]["path"], "cats/cat.jpg")

        self.upload(alice, path, "cats/cat.jpg")
        self.grid.run(5)
        sent = [one["payload"] for one in socket.sent if one["type"] == "model"]
        sizes = [one["data"]["size"] for one in sent if one["id"] == ident]
        self.assertEqual(sizes[-1], 300_000)
        versions = [one for one in sent if one["name"] == "remote_version"]
        self.assertEqual({one["id"].rpartition("/")[0] for one in versions}, {ident})
        self.assertEqual(versions[-1]["data"]["reliable"], "100%")
        found = socket.call("file_info", remote_path=versions[-1]["id"])
        self.assertEqual(found["result"]["path"], "cats/cat.jpg")

        socket.sent.clear()
        self.suppliers[0].kill()
        self.grid.run(60)
        self.assertIn("OFFLINE", [one["data"]["state"] for one in socket.take("online_status")])

        socket.call("file_delete", remote_path="cats/cat.jpg")
        self.grid.run(1)
        gone = [one["payload"] for one in socket.sent if one["payload"].get("deleted")]
        self.assertEqual({one["id"] for one in gone}, {ident, versions[-1]["id"]})

        for model in ("private_file", "remote_version"):
            socket.call("disable_model_listener", model_name=model)
        self.grid.run(1)
        triggers = alice.rooms.storage.core.catalog._writer.execute("SELECT name FROM temp.sqlite_master").fetchall()
        self.assertEqual(triggers, [])
