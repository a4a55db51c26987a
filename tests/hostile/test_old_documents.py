"""Anybody may show me an identity document of mine that counted once: everybody has those."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.identity.devices import union
from bitdust.identity.document import Device, IdentityDocument
from tests.unit.test_registration import EIGHT, made

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
