"""JSON with comments and stray commas."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.config.relaxed_json import MAX_DEPTH, MAX_TEXT, loads, read
from bitdust.wire.errors import BitDustError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(("// no", "/* no */", '",]')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
COMMENTS = st.sampled_from(("", " ", "\n", '// x ,] " \n', "/* } \n , */", "/**/", "\t//\n//\n"))


class RelaxedTests(SynchronousTestCase):
    def refused(self, text: str) -> str:
        error = self.assertRaises(BitDustError, loads, text)
        self.assertEqual(error.code, "bad-json")
        return str(error)

    def test_comments_and_commas(self) -> None:
        """Comments of both kinds and a comma behind the last item are taken, also at the very end."""
        text = '\ufeff{ // one\n "a" : [1, /* two\n lines */ 2 ,], // , }\n'
        text += '"b//c" : "/* no */ \\" // no" /* x */ , /* y */ }//'
        self.assertEqual(loads(text), {"a": [1, 2], "b//c": '/* no */ " // no'})

    def test_places(self) -> None:
        """What is wrong is told with its line and column, comments and all."""
        for text, place in (
            ('{\n// x\n"a" 1}', "line 3, column 5: expecting ':' delimiter"),
            ('{"a": 1\n /* never', "line 2, column 2: a comment that does not end"),
            ('{"a": /1}', "line 1, column 7: a comment begins with // or /*"),
            ("[1,,2]", "line 1, column 4: expecting value"),
            ("[,]", "line 1"),
            ("", "line 1, column 1: expecting value"),
            ('{"a": "never', "line 1, column 7"),
            ("/*/", "line 1, column 1: a comment that does not end"),
        ):
            self.assertIn(place, self.refused(text))

    def test_lines_of_parts(self) -> None:
        """Each part of a document knows its line; what is not there is where it would be."""
        document = read('{\n"a": 1, "b": [\n10,\n{"c": {},\n"d,": "]\\""}, 30],\n// x\n"e": {\n"f": []}}')
        expected = {
            (): 1, ("a",): 2, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4, ("b", 1, "d,"): 5, ("b", 2): 5,
            ("e",): 7, ("e", "f"): 8,
        }  # fmt: skip
        self.assertEqual(dict(document.lines), expected)
        self.assertEqual([document.line(path) for path in (("b", 1, "x"), ("x",), ("e", "f", 3))], [4, 1, 8])

    def test_what_is_refused(self) -> None:
        """Names that are there twice, numbers that are none, and what is too long or too deep are refused."""
        self.assertIn("'a' is there twice", self.refused('{"a": 1, "b": 2, "a": 3}'))
        self.assertIn("NaN", self.refused("[NaN]"))
        self.refused(" " * (MAX_TEXT + 1))
        self.refused("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
        self.refused("[" * 100_000)

    @settings(max_examples=60, deadline=None)
    @given(VALUES, st.lists(COMMENTS, min_size=4, max_size=4))
    def test_json_with_comments_between(self, value: object, comments: list[str]) -> None:
        """Any JSON is the same value with comments between its parts, and a comma behind the last one."""
        before, behind, comma, colon = comments
        text = json.dumps({"x": value, "y": [value]}, separators=(f"{comma},{behind}", f"{colon}:"))
        self.assertEqual(loads(f"{before}{text}{behind}"), {"x": value, "y": [value]})
        self.assertEqual(read(text).line(("x",)), 1 + text.partition('"x"')[0].count("\n"))
        self.assertEqual(loads(f"{before}[{text}{comma},{behind}]"), [{"x": value, "y": [value]}])

    @settings(max_examples=100, deadline=None)
    @given(st.text(alphabet='{}[]",:/*\\\n 1at', max_size=40))
    def test_any_text(self, text: str) -> None:
        """Any text is a value or refused."""
        try:
            loads(text)
        except BitDustError as error:
            self.assertEqual(error.code, "bad-json")
