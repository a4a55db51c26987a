"""docs/api/coverage.md says what a running daemon does with the calls of older documents."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import coverage
from tests.btsync_seed.asking import Asked
from tests.btsync_seed.printed import printed
from tests.coverage import NO_COMMAND, NOT_THERE, Method, Printed, current, page, printed_methods, told

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api" / "coverage.md"


class CoverageTests(SynchronousTestCase):
    def test_page_is_true(self) -> None:
        """What the page says of each printed method is what the daemon does now; `make api-docs` writes it anew."""
        self.assertEqual(PAGE.read_text(encoding="utf-8"), current())

    def test_every_method_of_the_documents_is_asked(self) -> None:
        """All 98 methods of seed 002, the 41 of seed 001 and the 54 of seed 000 are in the list, and can be called."""
        counts = dict.fromkeys(("000", "001", "002"), 0)
        for one in printed_methods():
            counts[one.seed] += 1
            self.assertTrue(all(value is not None for value in one.arguments.values()))
        self.assertEqual(counts["002"], 98)
        self.assertGreaterEqual(counts["001"], 41)
        self.assertGreaterEqual(counts["000"], 54)

    def test_two_words(self) -> None:
        """A method works, or not yet with a reason: its own or what the node said; without one there is an error."""
        names = ("stop", "broadcast_send_message", "odd")
        one, other, third = (Printed("000", name, f"{name}(key)", False) for name in names)
        listed = [one, other]
        self.patch(coverage, "printed_methods", lambda: listed)
        self.patch(coverage, "reasons", lambda: {other.name: "it comes later"})
        text = page({one: "", other: NOT_THERE})
        self.assertIn("| `stop(key)` | works |  |", text)
        self.assertIn("| `broadcast_send_message(key)` | not yet | it comes later |", text)
        self.assertIn("| `stop(key)` | not yet | unknown argument |", page({one: "unknown argument", other: ""}))
        self.assertRaises(ValueError, page, {third: NOT_THERE})

    def test_methods_of_ipfs(self) -> None:
        """A method of the client of IPFS works, and what is outdated in print is told; or its command or reason is."""
        rows = [
            Method("a.b", "a.b()", ("a/b",), ("it was once so",)),
            Method("c", "c()", ("c",), (), NO_COMMAND),
            Method("d", "d()", ("d",), (), "it is broken"),
        ]
        self.patch(coverage, "printed_methods", list)
        text = page({}, rows)
        self.assertIn("1 of 3 printed methods", text)
        self.assertIn("| `a.b()` | works | it was once so |", text)
        self.assertIn("| `c()` | not yet | there is no command c |", text)
        self.assertIn("| `d()` | not yet | it is broken |", text)

    def test_methods_of_btsync(self) -> None:
        """A call of BitTorrent Sync's page works, and where its daemon answered otherwise is told; or what is wrong."""
        rows = {one.name: one for one in printed()}
        self.patch(coverage, "printed_methods", list)
        text = page({}, (), [Asked(rows["get_os"], ""), Asked(rows["get_prefs"], ""), Asked(rows["shutdown"], "no")])
        self.assertIn("2 of 3 printed methods", text)
        self.assertIn("| `get_os` | works |  |", text)
        self.assertIn("| `get_prefs` | works | what is true", text)
        self.assertIn("| `shutdown` | not yet | no |", text)

    def test_what_counts_as_an_answer(self) -> None:
        """An error of the method itself is an answer; no method, refused arguments and a broken method are none."""
        self.assertEqual(told(200, {"status": "OK"}), "")
        self.assertEqual(told(200, {"status": "ERROR", "code": "service-off", "errors": ["it is off"]}), "")
        self.assertEqual(told(404, {"status": "ERROR", "code": "not-found", "errors": ["no"]}), NOT_THERE)
        for code in ("bad-argument", "internal"):
            self.assertEqual(told(200, {"status": "ERROR", "code": code, "errors": ["sentence"]}), "sentence")
