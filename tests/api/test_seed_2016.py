"""The API of 2016 answers as the two documents of that year print it: key by key, word by word, over whole nodes."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.call import perform
from bitdust.api.context import Context
from bitdust.api.methods import TABLE
from bitdust.storage.upload import jobs as uploads
from bitdust.testing.grid import GridNode
from tests.grid.test_main_job import GridCase
from tests.unit.storage_kit import random_file

SAMPLES = Path(__file__).parents[1] / "vectors" / "seed_2016_samples.txt"
DOCUMENT = Path(__file__).parents[2] / "docs" / "api" / "2016.md"
NOT_YET: set[str] = set()
OLDER_WORDS = {"show 001", "backup_start_path 001"}
"""Samples whose words the later document changed."""
_PAIR = re.compile(r"'(\w+)'\s*:\s*(?:u?(['\"])|([\[{])|(-?\d+\.\d+)|(-?\d+)|(True|False))")
_KINDS = (str, (list, dict), float, int, bool)
_TEXT = re.compile(r"'result'\s*:\s*\[?\s*('(?:[^'\\]|\\.)*')")
_WORDS = (
    (r"`", '"'),
    (r" https?://\S+", ""),
    (r"\d+(\.\d+)? (bytes|[KMGT]?[Bb])\b", "SIZE"),
    (r"\d+(/\d+)*/F\w+(-\d+)?", "BACKUP"),
    (r"in_\w+", "in_ID"),
    (r"[\w-]+\|[\w-]+ for \w+", "PEERS"),
    (r"\d+(/\d+)*", "ID"),
    (r"(?<!\w)/\S+[^\s/]", "PATH"),
    (r"service_\w+", "SERVICE"),
)


@frozen
class Sample:
    """What a document prints for a method; lines that were lost in one of them do no harm."""

    name: str
    source: str
    text: str

    @property
    def pairs(self) -> set[tuple[str, Any]]:
        """Every printed key with the type of its value."""
        return {(match[1], _KINDS[next(n for n in range(5) if match[n + 2])]) for match in _PAIR.finditer(self.text)}

    @property
    def words(self) -> str | None:
        """The result where it is a text, without names and numbers."""
        found = _TEXT.search(self.text)
        return wording(found[1].strip("'")) if found else None


def samples() -> list[Sample]:
    """All that the documents print."""
    parts = SAMPLES.read_text().split("# ")[1:]
    heads = [part.partition("\n") for part in parts]
    return [Sample(*head.split(), text) for head, _, text in heads]


def wording(text: str) -> str:
    for pattern, word in _WORDS:
        text = re.sub(pattern, word, text)
    return text


def pairs_of(answer: Any) -> Iterator[tuple[str, Any]]:
    """Every key of an answer with its value, however deep."""
    if isinstance(answer, dict):
        for key, value in answer.items():
            yield key, value
            yield from pairs_of(value)
    elif isinstance(answer, list):
        for item in answer:
            yield from pairs_of(item)


def ask(context: Context, name: str, **arguments: Any) -> "Deferred[dict[str, Any]]":
    """Call a method as the API was in 2016."""
    row = TABLE.named(name, "2016")
    assert row is not None, name
    return perform(context, row, arguments)


class SampleTests(GridCase):
    """alice has four suppliers; every answer is kept and compared with what is printed."""

    def setUp(self) -> None:
        super().setUp()
        self.answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.add_suppliers(4)
        self.alice = self.add_customer()
        self.home = self.base.absolute() / "Users" / "alice"

    def call(self, name: str, /, who: GridNode | None = None, **arguments: Any) -> Any:
        """The result of a method; its answer is kept."""
        envelope = self.grid.wait(ask((who or self.alice).node.context, name, **arguments))
        self.assertEqual(envelope["status"], "OK", envelope)
        self.answers[name].append(envelope)
        return envelope["result"]

    def error(self, name: str, /, **arguments: Any) -> str:
        envelope = self.grid.wait(ask(self.alice.node.context, name, **arguments))
        self.assertEqual(envelope["status"], "ERROR", envelope)
        return str(envelope["code"])

    def compare(self, names: set[str]) -> None:
        """Each sample of these methods has its answer: every key, with a value of its type, and the words."""
        printed = [sample for sample in samples() if sample.name in names]
        self.assertEqual({sample.name for sample in printed}, names)
        for sample in printed:
            found = list(pairs_of(self.answers[sample.name]))
            self.assertTrue(sample.pairs, sample.name)
            for key, kind in sample.pairs - {("result", str)}:
                values = [value for name, value in found if name == key]
                fits = [isinstance(value, kind) and (kind is bool) == isinstance(value, bool) for value in values]
                self.assertTrue(any(fits), f"{sample.name}: {key!r} should be {kind}; there is {values[:3]}")
            if sample.words and f"{sample.name} {sample.source}" not in OLDER_WORDS:
                ours = [answer["result"] for answer in self.answers[sample.name]]
                self.assertIn(sample.words, [wording(one if isinstance(one, str) else one[0]) for one in ours])

    def fill_home(self) -> None:
        random_file(self.home / "Documents" / "python" / "python27.chm", 700_000)
        random_file(self.home / "Documents" / "notes.txt", 10_000)
        random_file(self.home / "Downloads" / "large.bin", 3_000_000)
        random_file(self.home / "Pictures" / "bitdust.png", 5_000)
        (self.home / "Movies").mkdir()

    def test_backups(self) -> None:
        """Adding, uploading, waiting, giving up, listing, deleting and restoring say what is printed."""
        self.patch(uploads, "MOST_RUNNING", 1)
        self.alice.node.settings.set("services/backups/keep-local-copies-enabled", True)
        self.fill_home()
        home, documents = self.home, self.home / "Documents"
        for name, argument, place in (
            ("backup_dir_add", "dirpath", home / "Movies"),
            ("backup_dir_make", "dirpath", home / "Desktop"),
            ("backup_file_add", "filepath", documents / "notes.txt"),
            ("backup_tree_add", "dirpath", documents),
        ):
            self.call(name, **{argument: str(place)}, key_id="master")
        self.assertIn("2 items were added", self.answers["backup_tree_add"][0]["result"])
        self.call("backup_map_path", path=str(home / "Pictures" / "bitdust.png"), mount_path="logo.png")
        logo = self.answers["backup_map_path"][0]["id"]
        self.call("backup_start_path", path=str(home / "Downloads"))
        downloads = self.answers["backup_start_path"][0]["id"]
        rows = {row["path"]: row for row in self.call("backups_list")}
        tree, movies = (rows[str(place)]["id"] for place in (documents, home / "Movies"))
        self.call("backup_start_id", pathID=tree)
        self.call("backup_start_id", pathID=movies)
        self.call("backup_start_path", path=str(documents / "python" / "python27.chm"))
        waiting = self.call("backups_queue")
        self.assertEqual([row["path_id"] for row in waiting][:2], [tree, movies])
        self.assertEqual(waiting[0]["local_path"], f"{documents}/")
        self.call("backup_cancel_pending", path_id=movies)
        self.assertEqual(self.error("backup_cancel_pending", path_id=movies), "not-found")
        self.grid.run(0.1)
        (running,) = self.call("backups_running")
        self.assertEqual(running["source_path"], f"{home}/Downloads/")
        self.assertEqual((running["total_size"], running["eccmap"]), (3_000_000, "ecc/4x4"))
        self.call("backup_abort_running", backup_id=running["backup_id"])
        self.assertEqual(self.error("backup_abort_running", backup_id=running["backup_id"]), "not-found")
        self.call("backup_start_id", pathID=downloads)
        self.grid.until(lambda: not self.call("backups_running") and not self.call("backups_queue"), 120)
        self.call("backup_start_id", pathID=logo)
        self.grid.until(lambda: not self.call("backups_running"), 60)
        listed = {row["path"]: row for row in self.call("backups_list")}
        self.assertEqual(listed[str(documents)]["size"], 710_000)
        self.assertEqual({listed[str(home)]["type"], listed[str(documents)]["type"]}, {"parent", "dir"})
        backup = next(row["backupid"] for row in self.call("backups_id_list") if row["path"].endswith("large.bin"))
        self.call("backups_update")
        self.call("filemanager", json_request={"params": {"mode": "stats"}})
        figures = self.answers["filemanager"][0]["result"]
        self.assertEqual((figures["bytes_indexed"], figures["suppliers"], figures["files_count"]), (3_715_000, 4, 4))
        self.assertEqual(figures["bytes_used_total"], 4 * figures["bytes_used_supplier"])
        removed = self.call("backup_delete_local", backupID=backup)
        self.assertRegex(removed, "^[1-9][0-9]* files were removed with total size of [1-9]")
        self.assertRegex(self.call("backup_delete_local", backupID=backup), "^0 files")
        target = self.base.absolute() / "restored"
        self.call("restore_single", pathID_or_backupID_or_localPath=backup, destinationPath=str(target))
        self.grid.run(0.05)
        (restoring,) = self.call("restores_running")
        self.assertEqual(f"{restoring['path_id']}/{restoring['version']}", backup)
        self.assertEqual(restoring["creator_id"], str(self.alice.rooms.identity.me.document.idurl))
        self.call("restore_abort", backup_id=restoring["path_id"])
        self.assertEqual(self.call("restores_running"), [])
        self.call("restore_single", pathID_or_backupID_or_localPath=backup, destinationPath=str(target))
        self.grid.until(lambda: not self.call("restores_running"), 60)
        source = home / "Downloads" / "large.bin"
        self.assertEqual((target / "large.bin").read_bytes(), source.read_bytes())
        self.call("backup_delete_id", pathID_or_backupID=backup)
        self.assertNotIn(backup, [row["backupid"] for row in self.call("backups_id_list")])
        self.call("backup_delete_path", localPath=str(documents))
        self.assertNotIn(str(documents), [row["path"] for row in self.call("backups_list")])
        self.assertTrue((documents / "notes.txt").exists())
        self.compare({name for name in self.answers if name.startswith(("backup", "restore", "filem"))})

    def test_node(self) -> None:
        """Suppliers, customers, space, services, machines, traffic, settings and the process say what is printed."""
        supplier = self.suppliers[0]
        self.call("config_get", key="logs/debug-level")
        self.call("config_set", key="logs/debug-level", value="10", typ="positive integer")
        self.call("config_list", sort=True)
        self.assertEqual([row["status"] for row in self.call("suppliers_list")], ["online"] * 4)
        self.call("suppliers_ping")
        (customer,) = self.call("customers_list", who=supplier)
        self.assertEqual(customer["status"], "online")
        self.call("customers_ping", who=supplier)
        for name in ("space_consumed", "space_local", "automats_list", "services_list", "packets_stats"):
            self.call(name)
        self.call("space_donated", who=supplier)
        self.assertGreater(self.answers["packets_stats"][0]["result"][0]["out"]["total_bytes"], 0)
        self.call("ping", idurl=supplier.rooms.identity.me.global_id)
        self.add_suppliers(1)
        self.call("supplier_replace", index_or_idurl="0")
        new = self.suppliers[-1].rooms.identity.me
        old = self.suppliers[1].rooms.identity.me
        self.call("supplier_change", index_or_idurl=old.global_id, new_idurl=new.global_id)
        self.call("customer_reject", who=supplier, idurl=str(self.alice.rooms.identity.me.document.idurl))
        self.call("service_info", service_name="service_tcp_connections")
        self.call("service_stop", service_name="backups")
        self.call("service_start", service_name="backups")
        self.call("reconnect")
        stops: list[bool] = []
        self.patch(self.alice.node, "stop", stops.append)
        for name in ("show", "restart", "stop"):
            self.call(name)
        self.assertEqual(stops, [True, False])
        self.compare(set(self.answers))

    def test_every_sample_is_compared(self) -> None:
        """The two tests above name every method that has a sample, but those that are not there yet."""
        names = {sample.name for sample in samples()}
        self.assertEqual({name for name in names if TABLE.named(name, "2016") is None}, NOT_YET & names)
        text = Path(__file__).read_text()
        self.assertEqual({name for name in names - NOT_YET if f'"{name}"' not in text}, set())


class DocumentTests(SynchronousTestCase):
    def test_each_name_is_mapped(self) -> None:
        """docs/api/2016.md tells of each method of 2016 what it is today."""
        text = DOCUMENT.read_text(encoding="utf-8")
        names = [row.name for row in TABLE if row.generation == "2016"]
        self.assertGreater(len(names), 40)
        self.assertEqual([name for name in names if not re.search(rf"`{name}[`(]", text)], [])
