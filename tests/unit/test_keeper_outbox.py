"""The way to members who keep a group, where one of them has several devices."""

from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.groups.keepers import KeeperOutbox
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command

CREATOR = b"c" * 32


class KeeperOutboxTests(SynchronousTestCase):
    def answered(self, *newest_first: str) -> "Deferred[str]":
        """What is heard of the creator, whose devices answer so; an empty code stands for what is asked for."""
        peer = SimpleNamespace(fingerprint=CREATOR)
        sessions = [SimpleNamespace(peer=peer, started=-age, code=code) for age, code in enumerate(newest_first)]

        def send(to, command, fields, payload, *, session):
            return fail(BitDustError(session.code, "refused")) if session.code else succeed("heads")

        group = SimpleNamespace(is_joint=lambda: True, scope=lambda: b"s" * 16, watches=lambda keeper: False)
        outbox = KeeperOutbox(SimpleNamespace(send=send), SimpleNamespace(sessions=lambda: sessions), group)
        return outbox.send(CREATOR, Command.RETRIEVE, {"kind": "heads"})

    def test_whichever_has_the_group(self) -> None:
        """A device that has the group open and lets somebody in answers, whatever newer sessions say."""
        for others in (["not-found"], ["not-allowed"], ["not-found", "not-allowed"]):
            self.assertEqual(self.successResultOf(self.answered(*others, "")), "heads")

    def test_shut_out(self) -> None:
        """Somebody who was shut out is told so by the device that has the group open, in whatever order it is asked."""
        for codes in (["not-allowed", "not-found"], ["not-found", "not-allowed"]):
            error = self.failureResultOf(self.answered(*codes), BitDustError).value
            self.assertEqual(error.code, "not-allowed")

    def test_not_open_anywhere(self) -> None:
        """Where no device has it open nobody is shut out, nor where one that may have it open does not answer."""
        for codes in (["not-found", "not-found"], ["not-allowed", "no-answer"]):
            error = self.failureResultOf(self.answered(*codes), BitDustError).value
            self.assertEqual(error.code, codes[-1])
