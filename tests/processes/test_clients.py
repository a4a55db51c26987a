"""What programs written for the original node send and read, over real HTTP to real daemons."""

import http.client
import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bitdust.cli.lock import running_pid
from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, QUIET, NodeProcess, wait_for
from tests.processes.test_main_job import ProcessTests

SERVICES = ("gateway", "customer", "keys_storage", "my_data")


class RestClient:
    """A client that knows routes, bodies and fields, and nothing else of the node."""

    def __init__(self, node: NodeProcess) -> None:
        self._home = node.home

    def raw(self, verb: str, path: str, body: Any = None, **query: Any) -> tuple[int, dict[str, Any]]:
        """HTTP status and the whole answer."""
        port = json.loads((self._home / "metadata" / "apiports").read_text())["rest"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            where = f"/{path}?{urlencode(query)}" if query else f"/{path}"
            data = None if body is None else json.dumps(body).encode()
            headers = {"api_secret": (self._home / "apisecret").read_text()}
            connection.request(verb, where, data, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def ok(self, verb: str, path: str, body: Any = None, **query: Any) -> Any:
        """The result of a call that must work."""
        status, answer = self.raw(verb, path, body, **query)
        if status != 200 or answer["status"] != "OK" or not re.fullmatch(r"\d+\.\d{6}", answer["execution"]):
            raise AssertionError(f"{verb} {path}: {status} {answer}")
        return answer.get("result")

    def errors(self, verb: str, path: str, body: Any = None, **query: Any) -> list[str]:
        """The errors of a call that must not work, with HTTP status 200."""
        status, answer = self.raw(verb, path, body, **query)
        if status != 200 or answer["status"] != "ERROR":
            raise AssertionError(f"{verb} {path}: {status} {answer}")
        return list(answer["errors"])


class ClientsTests(ProcessTests):
    """A customer with two suppliers, used as existing clients use it."""

    def identity(self, client: RestClient, name: str) -> str:
        """Create, as clients do: they retry while the answer is exactly this text."""

        def created() -> bool:
            status, answer = client.raw("POST", "identity/create/v1", {"username": name})
            self.assertEqual(status, 200)
            return bool(answer["status"] == "OK" or answer["errors"] != ["network connection error"])

        wait_for(created, "the identity")
        result = client.ok("GET", "identity/get/v1")
        self.assertIsInstance(result["sources"], list)
        self.assertEqual(result["idurl"], result["sources"][0])
        self.assertTrue(result["global_id"].startswith(f"{name}@127.0.0.1_"))
        return str(result["idurl"])

    def start(self, name: str, settings: dict[str, str]) -> RestClient:
        node = self.network.node(name)
        self.network.others.append(node)
        node.configure(self.network.joining | settings)
        node.start()
        client = RestClient(node)
        client.ok("GET", "process/health/v1")
        self.urls[name] = self.identity(client, name)
        return client

    def test_everything_they_read(self) -> None:
        """Each row of the contract whose methods exist: routes, bodies, fields and words, in the order of a life."""
        self.urls: dict[str, str] = {}
        suppliers = [self.start(f"supplier-{number}", NO_CUSTOMER) for number in (1, 2)]
        lonely = self.network.node("lonely")
        self.network.others.append(lonely)
        lonely.configure(QUIET | NO_CUSTOMER | NO_SUPPLIER)
        lonely.start()
        self.assertEqual(RestClient(lonely).errors("POST", "identity/create/v1", {"username": "lonely"}),
                         ["network connection error"])
        self.client = self.start("customer-1", NO_SUPPLIER | {"services/customer/suppliers-number": "2"})
        self.settings()
        self.network_rows()
        self.wait_for_services()
        self.suppliers(suppliers)
        self.files()
        self.people()
        self.rest()
        self.backup_and_recovery()
        self.assertEqual(list(self.base.glob("*/logs/exception_*.log")), [])

    def settings(self) -> None:
        for key, value in (("services/employer/candidates", ""), ("services/customer/suppliers-number", "2"),
                           ("services/identity-propagate/automatic-rotate-enabled", "false")):
            self.client.ok("POST", "config/set/v1", {"key": key, "value": value})

    def network_rows(self) -> None:
        wait_for(lambda: self.client.raw("GET", "network/connected/v1", wait_timeout=5)[1]["status"] == "OK", "network")
        for path in ("network/reconnect/v1", "network/info/v1"):
            self.client.ok("GET", path)

    def wait_for_services(self) -> None:
        for name in SERVICES:
            wait_for(lambda name=name: self.client.ok("GET", f"service/info/{name}/v1")["state"] == "ON", name)
        self.client.ok("GET", "service/health/service_keys_storage/v1")

    def suppliers(self, suppliers: list[RestClient]) -> None:
        for supplier in suppliers:
            self.assertEqual(supplier.ok("GET", "service/info/supplier/v1")["state"], "ON")

        def connected() -> bool:
            rows = self.client.ok("GET", "supplier/list/v1")
            return {(row["supplier_state"], row["contact_state"]) for row in rows} == {("CONNECTED", "CONNECTED")}

        wait_for(connected, "both suppliers")
        listed = [row["idurl"] for row in self.client.ok("GET", "supplier/list/v1")]
        self.assertEqual(set(listed), {self.urls["supplier-1"], self.urls["supplier-2"]})
        name = self.client.ok("GET", "identity/get/v1")["global_id"]

        def published() -> Any:
            told = self.client.ok("GET", "supplier/list/dht/v1", id=name)
            return told if told.get("suppliers") == listed else None

        told = wait_for(published, "the whole family in the DHT")
        self.assertEqual(told["ecc_map"], "ecc/2x2")
        self.assertIn("customer-1.xml", told["customer_idurl"])

    def files(self) -> None:
        key_id = next(row["key_id"] for row in self.client.ok("GET", "key/list/v1"))
        self.assertTrue(key_id.startswith("master$customer-1@127.0.0.1_"))
        local, remote = self.base / "photo.jpg", f"{key_id}:photo.jpg"
        local.write_bytes(os.urandom(300_000))
        missing = {"remote_path": remote, "destination_folder": str(self.base / "down"), "wait_result": "1"}
        self.assertIn("was not found in the catalog", self.client.errors("POST", "file/download/start/v1", missing)[0])
        self.client.ok("POST", "file/create/v1", {"remote_path": remote})
        self.client.ok("POST", "file/upload/start/v1",
                       {"remote_path": remote, "local_path": str(local), "wait_result": "1"})

        def reliable() -> bool:
            running = self.client.ok("GET", "file/upload/v1")
            rows = [row for row in self.client.ok("GET", "file/list/all/v1") if row["remote_path"] == remote]
            return not running["pending"] and not running["running"] and all(
                version["reliable"] == "100%" for version in rows[0]["versions"])

        wait_for(reliable, "a reliable version")
        self.client.ok("POST", "file/download/start/v1", missing)
        self.assertEqual((self.base / "down" / "photo.jpg").read_bytes(), local.read_bytes())
        wait_for(lambda: not self.client.ok("GET", "file/download/v1"), "the end of the downloads")
        self.client.ok("GET", "file/sync/v1")

    def people(self) -> None:
        """Friends by IDURL, people by nickname, and the address that others see."""
        friend = self.urls["supplier-1"]
        self.client.ok("POST", "friend/add/v1", {"idurl": friend, "alias": "supplier"})
        self.assertEqual([row["idurl"] for row in self.client.ok("GET", "friend/list/v1")], [friend])

        def found() -> bool:
            answer = self.client.ok("GET", "user/search/supplier-1/v1")
            self.assertIn(answer["result"], ("exist", "not exist"))
            return bool(answer["nickname"] == "supplier-1" and answer["result"] == "exist")

        wait_for(found, "the nickname")
        (row,) = self.client.ok("GET", "user/observe/supplier-1/v1")
        self.assertEqual((row["nickname"], row["result"]), ("supplier-1", "exist"))
        self.assertEqual(self.client.ok("GET", "user/search/nobody-here/v1")["result"], "not exist")
        seen = self.client.ok("GET", "network/stun/v1")
        self.assertEqual((seen["result"], seen["ip"]), ("stun-success", "127.0.0.1"))

    def rest(self) -> None:
        def quiet() -> bool:
            transfers = self.client.ok("GET", "transfer/list/v1")
            packets = [row for row in self.client.ok("GET", "packet/list/v1") if "idle_ping:" not in row["packet_id"]]
            for row in packets:
                self.assertTrue({"command", "direction", "label"} <= set(row))
            return not packets and not any(row["incoming"] or row["outgoing"] for row in transfers)

        wait_for(quiet, "no packet on its way")
        index = self.client.ok("GET", "automat/list/v1")[0]["index"]
        self.assertIn("state", self.client.ok("GET", "automat/info/v1", index=index))
        self.client.ok("GET", "user/ping/v1", id=self.urls["supplier-1"], timeout=30, retries=2)
        value = {"data": "1", "type": "skip_validation", "key": "k1"}
        wrote = self.client.ok("POST", "dht/value/set/v1",
                               {"key": "k1", "record_type": "skip_validation", "value": value})
        self.assertEqual((wrote["write"], wrote["key"], wrote["value"]), ("success", "k1", value))
        self.assertTrue(wrote["closest_nodes"])
        found = self.client.ok("GET", "dht/value/get/v1", record_type="skip_validation", key="k1")
        self.assertEqual((found["read"], found["key"], found["value"]), ("success", "k1", value))
        lost = self.client.ok("GET", "dht/value/get/v1", record_type="skip_validation", key="k2")
        self.assertEqual((lost["read"], "value" in lost, len(lost["closest_nodes"]) > 0), ("failed", False, True))
        self.listen()

    def listen(self) -> None:
        """A long poll that is there before the event hears of it."""
        heard: list[Any] = []
        listener = threading.Thread(target=lambda: heard.extend(self.client.ok("GET", "event/listen/one/v1")))
        listener.start()
        deadline = time.monotonic() + 30
        while not any(row.get("id") == "a-test" for row in heard) and time.monotonic() < deadline:
            self.client.ok("POST", "event/send/a-test/v1", {"n": 1})
            listener.join(0.2)
            if not listener.is_alive() and not any(row["id"] == "a-test" for row in heard):
                listener = threading.Thread(target=lambda: heard.extend(self.client.ok("GET", "event/listen/one/v1")))
                listener.start()
        listener.join(30)
        self.assertIn("a-test", [row["id"] for row in heard])

    def backup_and_recovery(self) -> None:
        """The key file appears where the client wanted it, another home becomes who it names, and scripts' files are
        where they look for them."""
        key_file = self.base / "alice.key"
        self.client.ok("POST", "identity/backup/v1", {"destination_filepath": str(key_file)})
        self.assertTrue(key_file.is_file())
        folders = [path.name for path in (self.base / "supplier-1" / "customers").iterdir()]
        name = self.client.ok("GET", "identity/get/v1")["global_id"]
        self.assertIn(name, folders)
        events = (self.base / "customer-1" / "logs" / "event.log").read_text().splitlines()
        self.assertTrue(any("a-test" in line for line in events))
        self.stop(Path(self.base / "customer-1"))
        node = self.network.node("again")
        self.network.others.append(node)
        node.configure(self.network.joining | NO_SUPPLIER | {"services/customer/suppliers-number": "2"})
        node.start()
        again = RestClient(node)
        again.ok("POST", "identity/recover/v1", {"private_key_local_file": str(key_file), "join_network": "1"})
        self.assertEqual(again.ok("GET", "identity/get/v1")["global_id"], name)
        wait_for(lambda: again.ok("GET", "service/info/my_data/v1")["state"] == "ON", "the storage")
        self.assertIn("photo.jpg", [row["path"] for row in again.ok("GET", "file/list/all/v1")])

    def stop(self, home: Path) -> None:
        """`process/stop/v1` may break the connection before its answer; the process ends."""
        try:
            self.client.ok("GET", "process/stop/v1")
        except (OSError, http.client.HTTPException):
            pass
        wait_for(lambda: running_pid(home) is None, "the end of the process")
