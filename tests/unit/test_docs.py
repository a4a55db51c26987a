"""What the documents say about the code is true."""

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust import services
from bitdust.api.methods import TABLE
from bitdust.blocks import database as blocks
from bitdust.cli import manual
from bitdust.config import home
from bitdust.crypt import keyfile, ring_room
from bitdust.customers import database as customers
from bitdust.folders import database as journal
from bitdust.formats import log_packet, proof
from bitdust.people.friends import book as friends
from bitdust.people.history import database as history
from bitdust.people.mailboxes import database as mailboxes
from bitdust.people.messages import database as messages
from bitdust.services.graph import boot_order
from bitdust.services.service import Service
from bitdust.storage.catalog import database as catalog

ROOT = Path(__file__).resolve().parents[2]


def service_classes() -> dict[str, type[Service]]:
    found: dict[str, type[Service]] = {}
    for module in pkgutil.iter_modules(services.__path__):
        if module.name.startswith("service_"):
            for kind in vars(importlib.import_module(f"bitdust.services.{module.name}")).values():
                if isinstance(kind, type) and issubclass(kind, Service) and kind is not Service:
                    found[kind.name] = kind
    return found


class ServicesDocumentTests(SynchronousTestCase):
    def test_each_service_has_its_line(self) -> None:
        """docs/services.md has one line for each service: its needs and its duty, as the code says them."""
        text = (ROOT / "docs" / "services.md").read_text(encoding="utf-8")
        for name, kind in service_classes().items():
            needs = ", ".join(kind.needs) or "–"
            line = f"| {name} | {needs} | {kind.duty} |"
            self.assertTrue(line in text, f"a line is missing in docs/services.md: {line}")

    def test_each_service_has_its_setting_and_file(self) -> None:
        """A service lies in the file of its name and can be switched by its setting."""
        from bitdust.config.schema import default_schema

        schema = default_schema()
        for name, kind in service_classes().items():
            self.assertEqual(kind.__module__, f"bitdust.services.service_{name}")
            setting = f"services/{name.replace('_', '-')}/enabled"
            self.assertTrue(setting in schema, f"there is no setting {setting}: name its duty in config/schema.py")

    def test_methods_need_services_that_exist(self) -> None:
        """The service that a method of the API needs is one of them, by its short name."""
        unknown = {row.name: row.service for row in TABLE if row.service not in (None, *service_classes())}
        self.assertEqual(unknown, {})

    def test_needs_make_a_boot_order(self) -> None:
        """The needs of all services exist and form no circle."""
        order = boot_order({name: kind.needs for name, kind in service_classes().items()})
        self.assertEqual(len(order), len(service_classes()))


class ManualPageTests(SynchronousTestCase):
    def test_fresh(self) -> None:
        """docs/man/bitdust.1 is what the commands say today."""
        fresh = (ROOT / "docs" / "man" / "bitdust.1").read_text("utf-8") == manual.page()
        self.assertTrue(fresh, "a command changed: make api-docs, or python -m bitdust.cli.manual docs/man")


class LinksTests(SynchronousTestCase):
    def test_links_lead_somewhere(self) -> None:
        """Every relative link in README and docs leads to a file that exists."""

        for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
            for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
                if "://" not in target:
                    self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")


class LinesTests(SynchronousTestCase):
    def test_lines_are_wrapped(self) -> None:
        """No line of a written document is longer than 120 characters, except rows of tables."""
        for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")]:
            for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
                self.assertTrue(len(line) <= 120 or line.startswith("|"), f"{page.name}:{number} is too long")


class ArchitectureTests(SynchronousTestCase):
    """docs/architecture.md names what there is."""

    def setUp(self) -> None:
        self.text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

    def test_rooms_are_those_of_the_layers(self) -> None:
        """The table of rooms has the layers of pyproject.toml, from the ground up, and no others."""
        layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
        rows = [row.split("|")[1] for row in self.text.splitlines() if row.startswith("| `")]
        told = [re.findall(r"`([a-z_]+)(?:/|\.py)`", row) for row in rows]
        expected = [[name.strip().removeprefix("bitdust.") for name in layer.split("|")] for layer in reversed(layers)]
        self.assertEqual([sorted(names) for names in told], [sorted(names) for names in expected])

    def test_files_and_machines_exist(self) -> None:
        """Each file that is named exists, in the package or in the room that its sentence is about."""
        for name in re.findall(r"`((?:bitdust/)?[a-z_/]+\.py)`", self.text):
            path = ROOT / "bitdust" / name.removeprefix("bitdust/")
            self.assertTrue(path.is_file(), name)
        for name in ("backup", "pack", "supplier_queue", "pack_fetch", "replica", "packet_in", "packet_out", "dialler"):
            self.assertIn(f"`{name}`", self.text)
            self.assertTrue((ROOT / "bitdust" / "automats" / f"{name}.py").is_file(), name)


class DecisionsTests(SynchronousTestCase):
    def test_every_decision_is_in_the_index(self) -> None:
        """The index at the top has one row for each decision, and its links lead to their headings."""
        text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
        titles = re.findall(r"^## (.+)$", text, re.M)
        slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
        rows = re.findall(r"^\| \[(.+)\]\(#(.+)\) \|$", text, re.M)
        self.assertEqual(sorted(rows), sorted(zip(titles, slugs, strict=True)))


class FormatsDocumentTests(SynchronousTestCase):
    def test_numbers(self) -> None:
        """docs/formats.md says which format of each file this program writes, and which ones it brings to that."""
        text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
        oldest, newest = min(customers.STEPS), customers.SCHEMA_VERSION
        self.assertEqual(sorted(customers.STEPS), list(range(oldest, newest)))
        rows = {
            "format": f"first line `{home.FORMAT}`",
            "catalog.db": f"SQLite (format {catalog.FORMAT}; {catalog.UPGRADED[0]} is brought to it,",
            "customers/<fingerprint>/": f"(SQLite, format {newest}; {oldest} to {newest - 1} are brought up)",
            "correspondence/correspondence.db": f"SQLite (format {messages.FORMAT}; 1 and 2 are brought to it)",
            "mailboxes.db": f"SQLite (format {mailboxes.FORMAT}; 1 and 2 are brought to it)",
            "messages/history.db": f"SQLite (format {history.FORMAT};",
            "metadata/friends": f"JSON `{{version: {friends.VERSION},",
        }
        for name, words in rows.items():
            (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}`")]
            self.assertIn(words, row)
        for words in (
            f"`blocks/index.db`, SQLite with `user_version` {blocks.FORMAT},",
            f"/journal.db` in the home, SQLite with `user_version` {journal.FORMAT};",
            f"base64 of CBOR {{version: {keyfile.HINTS_VERSION}, revision,",
            f"base64 of CBOR `{{version: {keyfile._BOX_VERSION}, salt: 16,",
            f"`{{version: {ring_room.VERSION}, keys: [{{key_id,",
            f"**Log packet** (version {log_packet.VERSION})",
            f"**Proofs** (version {proof.VERSION})",
        ):
            self.assertIn(words, text)


class ClaimsTests(SynchronousTestCase):
    def rows(self, document: str) -> list[str]:
        """Rows of a document's table, of whose tests each exists."""
        text = (ROOT / "docs" / document).read_text(encoding="utf-8")
        for file, name in re.findall(r"`(tests/\S+\.py)` `(\w+)`", text):
            found = re.search(rf"(?:class|def) {name}\b", (ROOT / file).read_text(encoding="utf-8"))
            self.assertTrue(found, f"{file} has no {name}")
        return [line for line in text.splitlines() if line.startswith("| ")][1:]

    def test_each_threat_names_a_test_that_exists(self) -> None:
        """Every row of what threatens names a file of tests, and a class or test in it."""
        for row in self.rows("durability.md"):
            self.assertRegex(row, r"`tests/\S+\.py` `\w+` \|$", "a row names no test")

    def test_each_limit_names_a_test(self) -> None:
        """So does every limit of the promise, in its last line."""
        text = (ROOT / "docs" / "durability.md").read_text(encoding="utf-8")
        limits = text.partition("## Where the promise ends\n")[2].split("\n* **")[1:]
        self.assertEqual(len(limits), 14)
        for limit in limits:
            self.assertRegex(limit.strip(), r"`tests/\S+\.py` `\w+`$", "a limit names no test")

    def test_who_learns_what(self) -> None:
        """Every row of who learns what names a test, or says that there is none."""
        rows = self.rows("privacy.md")
        for row in rows:
            self.assertRegex(row, r"(`tests/\S+\.py` `\w+`|–) \|$", "a row names no test")
        for who in ("supplier", "spare of a family", "DHT node", "ID server", "local user", "network observer"):
            self.assertTrue([row for row in rows if row.startswith(f"| {who}")], who)

    def test_attackers(self) -> None:
        """Every row of what attackers try names a test, and each attacker has a section."""
        for row in self.rows("threats.md"):
            if not row.endswith("| test |"):
                self.assertRegex(row, r"`tests/\S+\.py` `\w+` \|$", "a row names no test")
        text = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
        for who in ("stranger", "customer", "supplier", "thief of a device", "thief of a key file", "local user"):
            self.assertIn(f"\n## A {who}\n", text)
        for who in ("k colluding suppliers", "An ID server", "DHT nodes", "A web page"):
            self.assertIn(f"\n## {who}\n", text)
