"""The survival checklist of folders: every case has a test, and the page tells of them as they are."""

from twisted.trial.unittest import SynchronousTestCase

from tests import folder_cases


class ChecklistTests(SynchronousTestCase):
    def test_every_case_has_a_test(self) -> None:
        """All 69 of them; numbers that are none do not occur, and each test says what it expects."""
        self.assertEqual(sorted(folder_cases.CASES), list(range(1, 70)))
        self.assertEqual(folder_cases.missing(), [])
        for found in folder_cases.tests():
            self.assertLessEqual(set(found.cases), set(folder_cases.CASES), found.name)
            self.assertTrue(found.expected.endswith("."), found.name)

    def test_the_page(self) -> None:
        """The table in docs/folders.md is that of the tests: python -m tests.folder_cases writes it."""
        self.assertEqual(folder_cases.main(["--check"]), 0)
