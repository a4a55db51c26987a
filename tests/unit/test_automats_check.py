"""The check of all machines, and the pages that are drawn from them."""

import ast
import io
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Machine, sources
from bitdust.automats.kernel import check as checker
from bitdust.automats.kernel.check import (
    Kind,
    all_machines,
    check_class,
    check_events,
    check_limits,
    check_table,
    package_root,
)
from bitdust.automats.kernel.diagrams import main, page, pages, stale, write
from bitdust.automats.kernel.sources import Sent, Source, Unreadable
from bitdust.automats.restore_worker import RestoreWorker

ROOT = Path(__file__).resolve().parents[2]
TABLE = """
      A  go    -  B  act
      B  back  -  A  -
      *  end   -  Z  -
"""
IGNORE = "A back\nB go"
MODULE = """
class LampPort(Protocol):
    def shine(self) -> None: ...

class Lamp(Machine):
    table = ""

    def __init__(self, registry, port: LampPort) -> None:
        self._port = port

    def act(self, payload) -> None:
        self._port.shine()
"""


def act(machine: Machine, payload: Any) -> None:
    """An action that does nothing."""


def lamp(table: str = TABLE, ignore: str = IGNORE, **members: Any) -> Kind:
    known = {"table": table, "ignore": ignore, "initial": "A", "final": ("Z",), "act": act}
    return type("Lamp", (Machine,), known | {"__module__": "bitdust.automats.lamp"} | members)


@cache
def product() -> list[Kind]:
    """All machines; every source of the product is read for it."""
    return all_machines(package_root())


@cache
def product_sources() -> dict[str, Source]:
    """Every source of the product."""
    return sources.read(package_root(), "bitdust")


def check_product(case: SynchronousTestCase) -> list[str]:
    """What the check of all machines finds; the sources are read once for all tests."""
    case.patch(checker, "read", lambda root, package: product_sources())
    return [str(finding) for finding in checker.check(package_root())]


@cache
def product_pages() -> dict[str, str]:
    """The pages of all machines."""
    return pages(product())


def source(text: str, module: str = "bitdust.automats.lamp") -> Source:
    return Source(module, ast.parse(text))


class ProductTests(SynchronousTestCase):
    def test_nothing_is_wrong(self) -> None:
        """No machine of the product has a finding."""
        self.assertEqual(check_product(self), [])

    def test_all_are_found(self) -> None:
        """Every file in automats/ has its machine, and these are all that are checked."""
        files = {path.stem for path in (ROOT / "bitdust" / "automats").glob("*.py")} - {"__init__"}
        self.assertEqual({kind.name for kind in product()}, files)

    def test_pages_are_fresh(self) -> None:
        """docs/automats says what the tables say; `make diagrams` writes it anew."""
        self.assertEqual(stale(ROOT / "docs" / "automats", product_pages()), [])

    def test_links_of_pages(self) -> None:
        """What a page leads to is there."""
        folder = ROOT / "docs" / "automats"
        for name, text in product_pages().items():
            for target in [part.partition(")")[0] for part in text.split("](")[1:]]:
                self.assertTrue((folder / target).exists(), f"{name}: {target}")


class TableTests(SynchronousTestCase):
    def only(self, kind: Kind, *wanted: str) -> None:
        found = check_table(kind)
        self.assertEqual(len(found), len(wanted), found)
        for text, part in zip(found, wanted, strict=True):
            self.assertIn(part, text)

    def test_nothing_is_wrong(self) -> None:
        """A machine as it should be has no finding."""
        self.only(lamp())

    def test_unreachable_state(self) -> None:
        """A state that nothing leads to is told, also when only itself leads to it."""
        self.only(lamp(TABLE + "C go - C -", IGNORE + "\nC back"), "C is never reached")
        self.only(lamp(final=("Z", "Y")), "Y is never reached")

    def test_no_way_out(self) -> None:
        """A state that is never left is told, also when it has rows that stay."""
        table = "A go - B act\nA end - Z -\nB go - = -\nB go2 - B -"
        self.only(lamp(table, "A go2\nB end"), "B has no way out")

    def test_no_way_to_the_end(self) -> None:
        """A circle without a way to a final state is told, but for endless machines."""
        circle = "A go - B act\nB back - A -"
        self.only(lamp(circle, final=()), "A has no way to a final", "B has no way to a final")
        self.only(lamp(circle, final=(), endless=True))
        self.only(lamp(endless=True), "`endless`, yet")

    def test_silent_cell(self) -> None:
        """A cell with neither row nor ignore is told."""
        self.only(lamp(ignore="A back"), "B says nothing of go")

    def test_idle_rows(self) -> None:
        """A `*` row that every state overrides is told."""
        self.only(lamp(TABLE + "* go - = -\nB go - = -", "A back"), "* go: this row is never tried")

    def test_idle_ignores(self) -> None:
        """An ignore that a `*` row overrides, that is said twice, or that a final state needs not, is told."""
        self.only(lamp(ignore=IGNORE + "\nA end"), "A ignores end in vain")
        self.only(lamp(ignore=IGNORE + "\n* back"), "A ignores back, which * ignores already")
        self.only(lamp(ignore=IGNORE + "\nZ go"), "Z is final")
        self.only(lamp(ignore=IGNORE + "\nA timer-1sec"), "timer-1sec, which does not run")


class ClassTests(SynchronousTestCase):
    def found(self, old: str = "", new: str = "", **members: Any) -> str:
        self.assertIn(old, MODULE)
        return "\n".join(check_class(lamp(**members), source(MODULE.replace(old, new) if old else MODULE)))

    def test_nothing_is_wrong(self) -> None:
        """A module as it should be has no finding."""
        self.assertEqual(self.found(), "")

    def test_module_of_its_name(self) -> None:
        """A machine lies in the file of its name."""
        found = check_class(lamp(), source(MODULE, "bitdust.automats.lantern"))
        self.assertIn("not in a module of its own name", "\n".join(found))

    def test_table_first(self) -> None:
        """The table comes before anything else."""
        self.assertIn("first thing", self.found('table = ""', 'name = "lamp"\n    table = ""'))

    def test_dead_action(self) -> None:
        """An action that no row names is told; a helper that is called is none."""
        dead = "\n    def sleep(self, payload) -> None:\n        pass\n"
        self.assertIn("sleep is named by no row", "\n".join(check_class(lamp(), source(MODULE + dead))))
        called = MODULE.replace("self._port.shine()", "self._port.shine()\n        self.sleep(1)") + dead
        self.assertEqual(check_class(lamp(), source(called)), [])

    def test_shape_of_actions(self) -> None:
        """Actions take the payload and nothing else."""
        self.assertIn("act takes something else", self.found("act(self, payload)", "act(self)"))

    def test_port(self) -> None:
        """What is asked of a port is there, and what is there is asked for."""
        found = self.found("self._port.shine()", "self._port.glow()")
        self.assertIn("asks for glow", found)
        self.assertIn("LampPort.shine is asked for by nobody", found)

    def test_watch_is_heard(self) -> None:
        """The end of what an action watches has a row in the state that the action leads to."""

        def watching(success: str, failure: str) -> str:
            watch = f'self.watch(self._port.shine(), "{success}", "{failure}")'
            return self.found("self._port.shine()", watch)

        self.assertEqual(watching("back", "end"), "")
        self.assertIn("act waits in B for go", watching("go", "back"))
        self.assertIn("watches for gone", watching("back", "gone"))

    def test_success_may_be_ignored_by_who_stays(self) -> None:
        """Who watches without leaving the state may ignore that all is well, but not that it failed."""
        table = TABLE.replace("B  back  -  A  -", "B  look  -  =  act\n      B  bad   -  A  -\n      B  back  -  A  -")
        table = table.replace("B  act", "B  -")
        watching = MODULE.replace("self._port.shine()", 'self.watch(self._port.shine(), "good", "bad")')

        def found(ignore: str) -> str:
            return "\n".join(check_class(lamp(table, ignore), source(watching)))

        self.assertEqual(found("A back bad good look\nB go good"), "")
        watching = watching.replace('"good", "bad"', '"bad", "good"')
        self.assertIn("act waits in B for good", found("A back bad good look\nB go good"))

    def test_limits(self) -> None:
        """A state that waits for something has a timer, or is named as patient; a name without need is told."""
        watching = source(MODULE.replace("self._port.shine()", 'self.watch(self._port.shine(), "back", "end")'))
        self.assertIn("B waits without a limit", "\n".join(check_limits(lamp(), watching)))
        self.assertEqual(check_limits(lamp(patient=("B",)), watching), [])
        limited = lamp(TABLE + "B timer-1min - A -")
        self.assertEqual(check_limits(limited, watching), [])
        in_vain = lamp(TABLE + "B timer-1min - A -", patient=("B",))
        self.assertEqual(check_limits(in_vain, watching), ["B is `patient` in vain"])
        self.assertEqual(check_limits(lamp(patient=("A",)), source(MODULE)), ["A is `patient` in vain"])

    def test_limits_of_the_machines(self) -> None:
        """The check of all machines looks for limits too."""
        self.patch(RestoreWorker, "patient", ("PLAN", "REQUESTED"))
        [found] = check_product(self)
        self.assertIn("FINISHING waits without a limit", found)


class SourceTests(SynchronousTestCase):
    def sent(self, text: str) -> list[tuple[str, bool] | str]:
        found = source(text).sends()
        return [(told.event, told.own) if isinstance(told, Sent) else told.text for told in found]

    def test_events(self) -> None:
        """Literal events are read, both of a choice, and those of a watch."""
        self.assertEqual(self.sent('self.send("a")\nx.machine.send("b", 1)'), [("a", True), ("b", False)])
        self.assertEqual(self.sent('self.send("a" if x else "b")'), [("a", True), ("b", True)])
        self.assertEqual(self.sent('self.watch(d, "a", "b")'), [("a", True), ("b", True)])

    def test_the_event_stream_is_another_thing(self) -> None:
        """What is sent to the event stream, to sessions and to outboxes is no machine's event."""
        text = 'events.send("a")\nself._events.send("b", {})\nsession.send(packet, x)\noutbox.send(to, "c")'
        self.assertEqual(self.sent(text), [])

    def test_enumerations(self) -> None:
        """A port that gives one of an enumeration gives any of its values."""
        text = (
            'class Next(StrEnum):\n    FIRE = "fire"\n    HIRE = "hire"\n'
            "class Port(Protocol):\n    def decide(self) -> Next: ...\n"
            "self.send(self._port.decide())"
        )
        self.assertEqual(self.sent(text), [("fire", True), ("hire", True)])

    def test_unreadable(self) -> None:
        """An event that stands nowhere in the source is told."""
        self.assertEqual(self.sent("x.machine.send(event)"), ["x.machine.send(event)"])
        self.assertIsInstance(next(source("self.send(event)").sends()), Unreadable)

    def test_asynchronous_code(self) -> None:
        """Coroutines, generators of Deferreds and a reactor of one's own are found."""
        for text in (
            "async def f(): pass",
            "from twisted.internet.defer import inlineCallbacks",
            "from twisted.internet import reactor",
            "defer.ensureDeferred(x)",
            "import asyncio",
        ):
            self.assertTrue(list(source(text).asynchronous()), text)
        self.assertEqual(list(source("from twisted.internet.defer import Deferred").asynchronous()), [])


class EventTests(SynchronousTestCase):
    def found(self, **others: str) -> list[str]:
        sources = {f"bitdust.{name}": source(text, f"bitdust.{name}") for name, text in others.items()}
        sources["bitdust.automats.lamp"] = source('self.send("back")')
        return [str(finding) for finding in check_events([lamp()], sources)]

    def test_each_event_has_a_sender(self) -> None:
        """An event that nobody sends is told, but for failure and timers."""
        self.assertEqual(self.found(), ["lamp: nobody sends go", "lamp: nobody sends end"])
        holder = 'from bitdust.automats.lamp import Lamp\nlamp.send("go")\nlamp.send("end")'
        self.assertEqual(self.found(holder=holder), [])

    def test_only_who_holds_it(self) -> None:
        """A module sends to a machine that it imports, that its own imports hold, or that it finds by name."""
        holder = "from bitdust.automats.lamp import Lamp"
        sends = 'x.send("go")\nx.send("end")'
        self.assertEqual(self.found(holder=holder, user="from bitdust.holder import Holder\n" + sends), [])
        self.assertEqual(self.found(api='registry.find("lamp")\n' + sends), [])
        self.assertEqual(len(self.found(holder=holder, stranger=sends)), 4)

    def test_each_sent_event_is_known(self) -> None:
        """An event that no machine within reach knows is told with its line."""
        holder = 'from bitdust.automats.lamp import Lamp\nx.send("go")\nx.send("end")\nx.send("gone")'
        self.assertEqual(self.found(holder=holder), ["bitdust.holder:4: no machine within reach knows gone"])


class PageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.pages = {"README.md": "all\n", "lamp.md": "one\n"}

    def test_written_pages_are_fresh(self) -> None:
        """What was written is not stale; a changed, a missing and a foreign page are, and writing again mends it."""
        write(self.folder, self.pages)
        self.assertEqual(stale(self.folder, self.pages), [])
        (self.folder / "lamp.md").write_text("two\n")
        (self.folder / "README.md").unlink()
        (self.folder / "gone.md").write_text("")
        self.assertEqual(
            [line.partition(":")[0] for line in stale(self.folder, self.pages)], ["gone.md", "README.md", "lamp.md"]
        )
        write(self.folder, self.pages)
        self.assertEqual(stale(self.folder, self.pages), [])

    def test_a_page_has_every_row(self) -> None:
        """Each row of a table is a line of the page, and each move an arrow of the picture."""
        for kind in product():
            text, definition = page(kind), kind.definition()
            lines = text.partition("## Transitions")[2].partition("\n## ")[0].strip().splitlines()[2:]
            rows = [line for line in lines if line.startswith("|")]
            self.assertEqual(len(rows), len(definition.rows), kind.name)
            for number, state in enumerate(definition.states):
                self.assertIn(f'state "{state}" as s{number}\n', text)
            arrows = [line for line in text.splitlines() if " --> " in line]
            for row in definition.rows:
                if row.state != "*" and row.next != "=":
                    old, new = definition.states.index(row.state), definition.states.index(row.next)
                    arrow = next(line for line in arrows if f"    s{old} --> s{new}: " in line)
                    self.assertIn(row.event, arrow)

    def test_the_same_bytes_in_every_process(self) -> None:
        """Neither hashes nor the order of imports change a page."""
        code = (
            "import hashlib; from bitdust.automats.kernel.check import all_machines, package_root; "
            "from bitdust.automats.kernel.diagrams import pages; "
            "print(hashlib.sha256(repr(pages(all_machines(package_root()))).encode()).hexdigest())"
        )
        found = {
            subprocess.run(
                [sys.executable, "-c", code],
                env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                check=True,
            ).stdout
            for seed in ("1", "2")
        }
        self.assertEqual(len(found), 1)

    def test_usage(self) -> None:
        """Without a folder, or with an option that does not exist, nothing is written."""
        self.patch(sys, "stderr", io.StringIO())
        self.assertEqual((main([]), main(["a", "b"]), main(["a", "--chek"])), (2, 2, 2))
