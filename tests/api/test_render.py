"""Envelopes as JSON text."""

import json
from enum import IntEnum
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.web.render import LONG_LIST, compact, pretty
from tests.api.test_table import JSON


class PrettyTests(SynchronousTestCase):
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.dictionaries(st.sampled_from(["status", "result", "errors", "execution"]), JSON, min_size=1))
    def test_same_as_json(self, envelope: dict[str, object]) -> None:
        """Two spaces and sorted keys, as the standard library lays it out."""
        self.assertEqual(pretty(envelope).decode(), json.dumps(envelope, indent=2, sort_keys=True) + "\n")

    def test_keys_of_other_types(self) -> None:
        """Keys that are no text, tuples, empty collections and numbers of every kind are laid out in the same way."""
        kind = IntEnum("Kind", "ONE").ONE
        value = {"a": {1: [], 2: {"x": ()}}, "b": (1, 2.5, True, None, [{}]), "c": kind, "d": 1e300}
        self.assertEqual(pretty(value).decode(), json.dumps(value, indent=2, sort_keys=True) + "\n")

    def test_long_lists(self) -> None:
        """Long lists are one row a line, and still the same JSON."""
        rows = [{"n": number, "text": "a\nb"} for number in range(LONG_LIST + 1)]
        shown = pretty({"result": rows})
        self.assertEqual(json.loads(shown), {"result": rows})
        self.assertEqual(shown.count(b"\n"), len(rows) + 4)

    def test_other_values(self) -> None:
        """Bytes are hex, paths text, sets sorted lists; names with any bytes survive."""
        value = {"a": b"\x01\xff", "b": Path("/x"), "c": {2, 1}, "d": "\udcff"}
        self.assertEqual(json.loads(compact(value)), {"a": "01ff", "b": "/x", "c": [1, 2], "d": "\udcff"})
        self.assertEqual(json.loads(pretty({"result": value})), {"result": json.loads(compact(value))})
