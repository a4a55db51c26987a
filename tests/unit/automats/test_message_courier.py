"""Rows of message_courier."""

from bitdust.automats.message_courier import MessageCourier, MessageCourierPort
from tests.unit.automats.kit import RowTests

CALL, PREPARE, SEND, DEPOSIT = ("call",), ("prepare",), ("send",), ("deposit",)


class MessageCourierTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        answers = {"is_connected": True, "has_unsealed": False, "has_unsent": False, "has_undeposited": True}
        self.port = self.record(MessageCourierPort, jitter=0.5, **answers)
        self.machine = MessageCourier(self.registry, "bob", self.port)
        self.addCleanup(self.machine.send, "stop")

    def calling(self) -> None:
        self.drive("work", None, "CALLING", CALL)

    def sending(self) -> None:
        self.calling()
        self.port.succeed("call")
        self.asked("SENDING", SEND)

    def preparing(self) -> None:
        self.port.answers["has_unsealed"] = True
        self.calling()
        self.port.succeed("call")
        self.asked("PREPARING", PREPARE)
        self.port.answers["has_unsealed"] = False

    def depositing(self) -> None:
        self.calling()
        self.port.fail("call")
        self.asked("DEPOSITING", DEPOSIT)

    def away(self) -> None:
        self.depositing()
        self.port.answers["has_undeposited"] = False
        self.port.succeed("deposit")
        self.asked("AWAY")

    def test_sent_at_once(self) -> None:
        """What is sealed goes over the session, batch after batch, until nothing is left."""
        self.port.answers["has_unsent"] = True
        self.sending()
        self.port.succeed("send")
        self.asked("SENDING", SEND)
        self.port.answers["has_unsent"] = False
        self.port.succeed("send")
        self.asked("RESTING")

    def test_sealed_first(self) -> None:
        """What is not sealed is sealed before anything is sent, also what comes while others are sent."""
        self.preparing()
        self.port.succeed("prepare")
        self.asked("SENDING", SEND)
        self.port.answers["has_unsealed"] = True
        self.port.succeed("send")
        self.asked("PREPARING", PREPARE)

    def test_sealed_for_somebody_away(self) -> None:
        """What is not sealed is sealed for who does not answer, and brought to the mailboxes."""
        self.port.answers |= {"has_unsealed": True, "is_connected": False}
        for give_up in (lambda: self.port.fail("call"), lambda: self.clock.advance(30)):
            self.calling()
            give_up()
            self.asked("PREPARING", PREPARE)
            self.port.answers["has_undeposited"] = False
            self.port.succeed("prepare")
            self.asked("AWAY")
            self.port.answers["has_undeposited"] = True
            self.drive("online", None, "CALLING", CALL)
            self.machine.send("stop")
            self.machine = MessageCourier(self.registry, "bob", self.port)
            self.addCleanup(self.machine.send, "stop")
            self.calls.clear()

    def test_prepared_while_away(self) -> None:
        """What is sealed for who is away goes to the mailboxes."""
        self.preparing()
        self.port.answers["is_connected"] = False
        self.port.succeed("prepare")
        self.asked("DEPOSITING", DEPOSIT)

    def test_nothing_to_seal_with(self) -> None:
        """Without prekeys it waits, and waits longer each time; a preparation that hangs is cancelled."""
        self.preparing()
        self.port.fail("prepare")
        self.asked("AWAY")
        self.passes(5, "CALLING", CALL)
        self.port.answers["has_unsealed"] = True
        self.port.succeed("call")
        self.asked("PREPARING", PREPARE)
        self.passes(60, "AWAY")
        self.passes(10, "CALLING", CALL)
        self.assertEqual(self.port.cancelled["prepare"], 1)

    def test_nobody_answers(self) -> None:
        """A call that fails or hangs leads to the mailboxes, or to a pause where they have all of it."""
        self.depositing()
        self.port.succeed("deposit")
        self.asked("DEPOSITING", DEPOSIT)
        self.port.answers["has_undeposited"] = False
        self.port.succeed("deposit")
        self.asked("AWAY")
        self.passes(5, "CALLING", CALL)
        self.port.fail("call")
        self.asked("AWAY")
        self.passes(10, "CALLING", CALL)
        self.passes(30, "AWAY")
        self.passes(10, "CALLING", CALL)
        self.port.answers["has_undeposited"] = True
        self.passes(30, "DEPOSITING", DEPOSIT)

    def test_a_session_that_ends(self) -> None:
        """What the device did not answer goes to the mailboxes, or waits where they have it."""
        self.sending()
        self.port.fail("send")
        self.asked("DEPOSITING", DEPOSIT)
        self.port.answers["has_undeposited"] = False
        self.port.fail("deposit")
        self.asked("AWAY")
        self.passes(5, "CALLING", CALL)
        self.port.succeed("call")
        self.asked("SENDING", SEND)
        self.port.fail("send")
        self.asked("AWAY")
        self.passes(10, "CALLING", CALL)
        self.port.succeed("call")
        self.asked("SENDING", SEND)
        self.passes(60, "AWAY")
        self.passes(20, "CALLING", CALL)
        self.port.answers["has_undeposited"] = True
        self.port.succeed("call")
        self.asked("SENDING", SEND)
        self.passes(60, "DEPOSITING", DEPOSIT)
        self.passes(60, "AWAY")
        self.passes(40, "CALLING", CALL)

    def test_success_shortens_pauses(self) -> None:
        """Once a device has answered the next pause is short again, whether more was to be sent or not."""
        for more in (True, False):
            self.machine.failures = 5
            self.port.answers |= {"has_unsent": more, "has_undeposited": False}
            self.sending()
            self.port.succeed("send")
            self.calls.clear()
            self.assertEqual(self.machine.failures, 0)
            if more:
                self.port.answers["has_unsent"] = False
                self.port.succeed("send")

    def test_pauses_end_at_an_hour(self) -> None:
        """However often nothing came of it, it tries again within an hour and a half."""
        self.away()
        self.machine.failures = 100
        self.assertEqual(self.machine.timer_seconds("timer-5sec"), 3600)

    def test_more_to_seal_meanwhile(self) -> None:
        """What came while others were deposited is sealed next."""
        self.depositing()
        self.port.answers["has_unsealed"] = True
        self.port.succeed("deposit")
        self.asked("PREPARING", PREPARE)

    def test_more_for_somebody_away(self) -> None:
        """What comes for who is away is sealed and deposited at once; the device is not called for it."""
        self.away()
        self.drive("work", None, "AWAY")
        self.port.answers["has_unsealed"] = True
        self.drive("work", None, "PREPARING", PREPARE)
        self.port.answers["has_unsealed"] = False
        self.port.fail("prepare")
        self.asked("AWAY")
        self.port.answers["has_undeposited"] = True
        self.drive("work", None, "DEPOSITING", DEPOSIT)

    def test_each_batch_has_its_time(self) -> None:
        """The minute begins again with each batch, over the session or to mailboxes."""
        self.port.answers["has_unsent"] = True
        self.sending()
        self.clock.advance(40)
        self.port.succeed("send")
        self.asked("SENDING", SEND)
        self.passes(60, "DEPOSITING", DEPOSIT)
        self.clock.advance(40)
        self.port.succeed("deposit")
        self.asked("DEPOSITING", DEPOSIT)
        self.passes(60, "AWAY")

    def test_failures_are_counted(self) -> None:
        """Whatever hangs makes the next pause longer."""
        self.preparing()
        self.passes(60, "AWAY")
        self.assertEqual(self.machine.failures, 1)
        self.drive("work", None, "DEPOSITING", DEPOSIT)
        self.passes(60, "AWAY")
        self.assertEqual(self.machine.failures, 2)

    def test_who_comes_may_not_take_it_yet(self) -> None:
        """Whoever comes, or comes while it is called, is asked again soon, however often nothing came of it before."""
        self.away()
        for is_called in (False, True):
            if is_called:
                self.passes(5, "CALLING", CALL)
            self.machine.failures = 50
            self.drive("online", None, "CALLING", *([] if is_called else [CALL]))
            self.port.succeed("call")
            self.asked("SENDING", SEND)
            self.port.fail("send")
            self.asked("AWAY")
        self.passes(5, "CALLING", CALL)

    def test_who_comes_meanwhile(self) -> None:
        """The same while something is sealed for it, or deposited."""
        self.preparing()
        self.machine.failures = 50
        self.drive("online", None, "PREPARING")
        self.port.fail("prepare")
        self.asked("AWAY")
        self.passes(5, "CALLING", CALL)
        self.port.fail("call")
        self.asked("DEPOSITING", DEPOSIT)
        self.machine.failures = 50
        self.drive("online", None, "DEPOSITING")
        self.port.fail("deposit")
        self.asked("AWAY")
        self.passes(5, "CALLING", CALL)

    def test_the_end(self) -> None:
        """It ends from wherever it is."""
        self.sending()
        self.ends("stop")
