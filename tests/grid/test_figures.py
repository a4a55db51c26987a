"""Figures of whole nodes: what `process_info`, `/metrics` and the doctor tell after real work."""

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.logger import globalLogPublisher

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.testing.grid import Grid
from bitdust.web import metrics
from tests.grid.test_main_job import GridCase

FIELDS = {
    "config": {"options"},
    "identity": {"ready", "cache", "cache_ids", "cache_contacts"},
    "contact": {"active", "correspondents", "customers", "suppliers_hired", "suppliers_total", "suppliers_active",
                "customer_assistants"},
    "service": {"active"},
    "key": {"registered"},
    "file": {"items", "files", "folders", "files_size", "folders_size", "backups_size", "customers"},
    "dht": {"layers", "bytes_out", "bytes_in"},
    "share": {"active"},
    "group": {"active"},
    "network": {"protocols", "packets_out", "packets_out_total", "packets_in", "packets_in_total"},
    "stream": {"queues", "consumers", "producers", "keepers", "peddlers", "supplier_queues", "streams"},
    "automats": {"active"},
}
SAMPLE = re.compile(r'[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [0-9.e+-]+( [0-9.]+)?')


def call(grid: Grid, node: Any, method: str, **arguments: Any) -> Any:
    """What a method of a node answers."""
    envelope = grid.wait(perform(node.node.context, TABLE.named(method), arguments))
    assert envelope["status"] == "OK", envelope
    return envelope["result"]


class FiguresCase(GridCase):
    def call(self, node: Any, method: str, **arguments: Any) -> Any:
        return call(self.grid, node, method, **arguments)

    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(2)
        self.alice = self.add_customer(**{"services/customer/suppliers-number": 2})
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "data").write_bytes(os.urandom(100_000))
        self.upload(self.alice, folder, "documents")


class ProcessInfoTests(FiguresCase):
    def test_after_an_upload(self) -> None:
        """Every field that monitoring reads is there, and the figures are those of what was done."""
        info = self.call(self.alice, "process_info")
        for noun, names in FIELDS.items():
            self.assertEqual(names - set(info[noun]), set(), noun)
        file, contact = info["file"], info["contact"]
        self.assertEqual((file["files"], file["folders"], file["files_size"]), (1, 1, 100_000))
        self.assertEqual(file["folders_size"], 100_000)
        self.assertGreater(file["backups_size"], 100_000)
        self.assertEqual((contact["suppliers_hired"], contact["suppliers_active"]), (2, 2))
        pieces = file["pieces"]
        self.assertEqual((pieces["due"], pieces["acknowledged"]), (2 * pieces["packs"], 2 * pieces["packs"]))
        self.assertGreater(info["network"]["packets_out_total"], 2)
        self.assertEqual(info["network"]["protocols"], {"tcp": 2})
        self.assertEqual(info["automats"]["active"], len(list(self.alice.node.registry)))
        self.assertEqual(self.call(self.suppliers[0], "process_info")["contact"]["customers"], 1)

    def test_before_anything(self) -> None:
        """A node without an identity has figures too."""
        info, services = self.call(self.seed, "process_info"), self.seed.node.driver.list()
        self.assertEqual((info["identity"]["ready"], info["service"]["total"]), (False, len(services)))


class MetricsTests(FiguresCase):
    def test_page(self) -> None:
        """Each line is one that Prometheus reads; pieces, services, packets and calls are among them."""
        self.call(self.alice, "process_info")
        text = metrics.page(self.alice.node.context).decode()
        samples = [line for line in text.splitlines() if not line.startswith("#")]
        for line in samples:
            self.assertTrue(SAMPLE.fullmatch(line), line)
        values = dict(line.rsplit(" ", 1) for line in samples)
        self.assertEqual(float(values['bitdust_service_up{service="service_my_data"}']), 1.0)
        self.assertEqual(values['bitdust_pieces{state="due"}'], values['bitdust_pieces{state="acknowledged"}'])
        self.assertGreater(float(values['bitdust_packets_total{command="Data",direction="out"}']), 0)
        self.assertEqual(float(values['bitdust_api_request_seconds_count{method="process_info",status="OK"}']), 1.0)
        self.assertEqual(float(values['bitdust_machines{kind="fire_hire",state="READY"}']), 1.0)
        self.assertIn("bitdust_donated_bytes", metrics.page(self.suppliers[0].node.context).decode())


class LogSettingsTests(FiguresCase):
    def papers(self) -> dict[str, int]:
        """How many entries came for each log while calls, packets and machines were at work."""
        found: Counter[str] = Counter()

        def keep(entry: dict[str, Any]) -> None:
            found[entry.get("paper", "")] += 1

        globalLogPublisher.addObserver(keep)
        try:
            self.call(self.alice, "suppliers_ping")
            self.grid.run(1)
        finally:
            globalLogPublisher.removeObserver(keep)
        del found[""]
        return dict(found)

    def test_live(self) -> None:
        """Each setting switches its own log on and off while the node runs, and no other one."""
        self.assertEqual(self.papers(), {})
        for setting, paper in (("api", "api"), ("packet", "packet"), ("automat-transitions", "automats"),
                               ("automat-events", "automats")):
            self.alice.node.settings.set(f"logs/{setting}-enabled", True)
            found = self.papers()
            self.assertEqual(list(found), [paper])
            self.assertGreater(found[paper], 0)
            self.alice.node.settings.set(f"logs/{setting}-enabled", False)
        self.assertEqual(self.papers(), {})


class DoctorTests(FiguresCase):
    def test_the_time_of_the_server(self) -> None:
        """An ID server tells the time that its own clock shows: clocks are compared by it where no peer was called."""
        client, wall = self.alice.rooms.identity.client, self.alice.node.world.wall
        code, date = self.grid.wait(client.greet(client.servers()[0]))
        self.assertEqual(code, 200)
        self.assertLess(abs(date - wall()), 2)

    def test_whole_node(self) -> None:
        """Of a healthy node every check comes to an end; when half of its suppliers die, they are missed."""
        found = {row["check"]: row["verdict"] for row in self.call(self.alice, "process_checkup")["findings"]}
        well = ("identity", "services", "settings", "permissions", "ID servers", "my identity", "DHT", "suppliers",
                "audits", "last backup", "key size", "libraries")
        self.assertEqual({name: found[name] for name in well}, dict.fromkeys(well, "ok"))
        self.assertEqual((found["key backup"], found["clock"]), ("bad", "ok"))
        for supplier in self.suppliers:
            supplier.kill()
        self.grid.run(120)
        checked = self.call(self.alice, "process_checkup")
        found = {row["check"]: row["verdict"] for row in checked["findings"]}
        self.assertEqual((checked["verdict"], found["suppliers"]), ("bad", "bad"))
