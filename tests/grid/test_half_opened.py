"""Who gives up waiting for a group to be opened or closed, and a service that stops meanwhile, leave it half-way never.

A client that hangs up, and a service that stops, cancel what they wait for: on whole nodes, where files open slowly.
"""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from bitdust.groups.group import Group
from bitdust.groups.opened import Discussion
from bitdust.storage.shared.member_log import MemberLog
from bitdust.testing.grid import GridNode
from tests.grid.test_friends import PeopleCase


class HalfOpenedTests(PeopleCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice: GridNode = self.person("alice")
        self.grid.until(lambda: self.alice.is_on("private_groups"), what="groups")
        self.room = self.alice.rooms.groups
        self.key = self.call(self.alice, "group_create", label="friends")["group_key_id"]
        self.order: list[str] = []
        self.logs: set[MemberLog] = set()
        self.gates: dict[str, list[Deferred[None]]] = {}
        for name in ("open", "close"):
            self.watch(name)

    def watch(self, name: str) -> None:
        real = getattr(MemberLog, name)

        async def watched(log: MemberLog) -> None:
            self.logs.add(log)
            self.order.append(f"{name} begins")
            if name in self.gates:
                self.gates[name].append(Deferred())
                await self.gates[name][-1]
            await real(log)
            self.order.append(f"{name} ends")

        self.patch(MemberLog, name, watched)

    def hold(self, name: str) -> None:
        """From now on this ends when the test says so."""
        self.gates[name] = []

    def release(self, name: str) -> None:
        """All that is held ends, and nothing is held any more."""
        for gate in self.gates.pop(name):
            if not gate.called:
                gate.callback(None)
        self.grid.run(1, 0.1)

    def group(self) -> Group:
        return self.room.find(self.key)

    def begin(self, work: Coroutine[Any, Any, Any]) -> "Deferred[Any]":
        begun = Deferred.fromCoroutine(work)
        begun.addErrback(lambda failure: failure.trap(CancelledError) and None)
        return begun

    def give_up(self, work: Coroutine[Any, Any, Any]) -> None:
        self.begin(work).cancel()

    def open_logs(self) -> list[Discussion]:
        return [log for log in self.logs if log.catalog.is_open]

    def works(self) -> None:
        """The group is open as a whole, and one file of it."""
        opened = self.group().opened
        assert opened is not None
        self.assertEqual(self.open_logs(), [opened.log])
        self.assertNotEqual(opened.machine.state, "DISCONNECTED")
        self.call(self.alice, "message_send_group", group_key_id=self.key, data={"text": "hello"})

    def test_who_opens_it_gives_up(self) -> None:
        """It is opened all the same; another one who waited for his turn has it, or gives up as well."""
        self.hold("open")
        self.give_up(self.room.join(self.group()))
        second = self.begin(self.room.join(self.group()))
        self.give_up(self.room.join(self.group()))
        self.release("open")
        self.assertEqual(self.successResultOf(second), self.group().opened)
        self.assertEqual(self.order, ["open begins", "open ends"])
        self.works()

    def test_who_closes_it_gives_up(self) -> None:
        """It is closed all the same, before anybody opens it again."""
        self.grid.wait(Deferred.fromCoroutine(self.room.join(self.group())))
        self.order.clear()
        self.hold("close")
        self.give_up(self.room.leave(self.group(), False))
        again = self.begin(self.room.join(self.group()))
        self.release("close")
        self.grid.wait(again)
        self.assertEqual(self.order, ["close begins", "close ends", "open begins", "open ends"])
        self.works()

    def test_who_waits_to_close_it_gives_up(self) -> None:
        """What was decided happens: a group that is left is not open any more, and one that is joined is."""
        self.hold("open")
        self.give_up(self.room.join(self.group()))
        self.give_up(self.room.leave(self.group(), False))
        self.release("open")
        self.assertEqual((self.group().active, self.group().opened, self.open_logs()), (False, None, []))
        self.grid.wait(Deferred.fromCoroutine(self.room.join(self.group())))
        self.hold("close")
        self.give_up(self.room.leave(self.group(), False))
        self.give_up(self.room.join(self.group()))
        self.release("close")
        self.assertTrue(self.group().active)
        self.works()

    def test_the_service_stops_while_it_opens(self) -> None:
        """A service that stops in the middle of its start closes what it was opening, and opens nothing after that."""
        self.grid.wait(Deferred.fromCoroutine(self.room.join(self.group())))
        driver = self.alice.node.driver
        self.grid.wait(driver.stop("private_groups"))
        self.hold("open")
        driver.start("private_groups").addErrback(lambda _: None)
        self.grid.run(1, 0.1)
        stopping = driver.stop("private_groups")
        self.grid.run(1, 0.1)
        self.assertEqual(len(self.gates["open"]), 1)
        late = Deferred.fromCoroutine(self.room._begin(self.group()))
        self.release("open")
        self.grid.wait(stopping)
        self.grid.run(5, 0.1)
        late.addErrback(lambda _: None)
        self.assertEqual((self.group().opened, self.open_logs()), (None, []))
        self.grid.wait(driver.start("private_groups"))
        self.works()

    def test_nothing_is_opened_when_all_is_closed(self) -> None:
        """Who waited for its turn while all was closed is refused, and opens nothing that nobody would close."""
        self.grid.wait(Deferred.fromCoroutine(self.room.join(self.group())))
        self.hold("close")
        stopping = Deferred.fromCoroutine(self.room.stop())
        late = Deferred.fromCoroutine(self.room.join(self.group()))
        self.release("close")
        self.grid.wait(stopping)
        self.assertEqual(self.failureResultOf(late).value.code, "service-off")
        self.assertEqual((self.group().opened, self.open_logs()), (None, []))
        self.grid.wait(Deferred.fromCoroutine(self.room.start()))
        self.works()

    def test_who_stops_gives_up(self) -> None:
        """All groups are closed all the same."""
        other = self.call(self.alice, "group_create", label="others")["group_key_id"]
        for key in (self.key, other):
            self.call(self.alice, "group_join", group_key_id=key)
        self.hold("close")
        self.give_up(self.room.stop())
        while self.gates.get("close"):
            self.release("close")
        self.grid.run(1, 0.1)
        self.assertEqual((self.room._opened, self.open_logs()), ({}, []))
        self.grid.wait(Deferred.fromCoroutine(self.room.start()))

    def test_one_that_was_left_is_read(self) -> None:
        """Whoever gives up reading it, because the person joins it: its file is closed after it was opened, and before
        it is opened again."""
        self.hold("open"), self.hold("close")
        reading = self.begin(self.room._read_aside(self.group().place))
        reading.cancel()
        joining = self.begin(self.room.join(self.group()))
        self.assertEqual(self.order, ["open begins"])
        self.release("open")
        reading.cancel()
        self.assertEqual(self.order, ["open begins", "open ends", "close begins"])
        self.release("close")
        self.grid.wait(joining)
        self.assertEqual(self.order[3:], ["close ends", "open begins", "open ends"])
        self.works()
