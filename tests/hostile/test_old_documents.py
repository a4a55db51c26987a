"""Anybody may show me an identity document of mine that counted once: everybody has those."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.identity.devices import former, union, with_new_device
from bitdust.identity.document import ROOM, Device, IdentityDocument
from tests.unit.test_identity import GOOD, START
from tests.unit.test_registration import EIGHT, made
from tests.vectors.keys import master

THIS = EIGHT[0].key


def device(number: int, since: int, mark: str) -> Device:
    """A device that is told by its mark."""
    return Device(number, since, mark.encode() * 32)


class OldDocumentTests(SynchronousTestCase):
    def test_documents_of_before_change_nothing(self) -> None:
        """Devices that were added at the same time got other numbers; the documents of before do not undo that."""
        one, two, three = device(3, 3, "a"), device(4, 4, "b"), device(5, 4, "c")
        newest: IdentityDocument = made(9, (EIGHT[0], one, two, three))
        before = [made(4, (EIGHT[0], evolve(two, number=3))), made(4, (EIGHT[0], one, evolve(three, number=4)))]
        for old in before:
            self.assertEqual(union(newest, old, THIS), newest.devices)
            self.assertEqual(union(old, newest, THIS), newest.devices)

    def test_who_was_revoked_stays_so(self) -> None:
        """However often the document is shown in which the device counted."""
        old = made(2, (EIGHT[0], device(1, 2, "a")))
        newest = made(3, (EIGHT[0], evolve(device(1, 2, "a"), revoked=3, sequence=7)))
        self.assertEqual(union(newest, old, THIS), newest.devices)

    def test_who_was_let_go_long_ago_stays_so(self) -> None:
        """There is no room for the names of all who ever went; none of them comes back by a document of before."""
        documents = [made(1, (EIGHT[0],))]
        for revision in range(2, 60):
            before = documents[-1]
            devices = with_new_device(before, revision.to_bytes(32, "big"), revision)
            gone = former(devices, revision, before)
            documents.append(IdentityDocument.create(master(), GOOD.sources, revision, devices, START, gone))
        newest = documents[-1]
        self.assertLessEqual(len(newest.xml), ROOM)
        self.assertLess(len(newest.former), 40)
        for old in documents[:-1]:
            self.assertEqual(union(newest, old, THIS), newest.devices)
            self.assertEqual(union(old, newest, THIS), newest.devices)

    def test_two_that_were_added_at_once_after_many_went(self) -> None:
        """Neither of them is taken for one of those that went before."""
        gone = tuple(Device(number, number, bytes([number, 9]) * 16, number, 0) for number in range(8, 100))
        one, two = device(100, 100, "a"), device(100, 100, "b")
        mine, other = (
            IdentityDocument.create(master(), GOOD.sources, 100, (EIGHT[0], new), START, gone) for new in (one, two)
        )
        self.assertEqual({known.key for known in union(mine, other, THIS)}, {EIGHT[0].key, one.key, two.key})
