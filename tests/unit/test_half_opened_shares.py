"""Who gives up waiting for a share to be opened or closed leaves it half-way never."""

from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.shares import room
from bitdust.shares.room import Share, SharesRoom
from bitdust.storage.catalogs import Catalogs
from tests.unit.storage_kit import network

OWNER, ALIAS = b"o" * 32, "share_1"
PLACE = (OWNER, ALIAS)
NAME = f"{ALIAS}$owner@id.example"


class SlowCatalog:
    """It is opened and closed when the test says so."""

    def __init__(self, order: list[str], gates: list["Deferred[None]"]) -> None:
        self.shared = SimpleNamespace(owner=OWNER, alias=ALIAS, key_id=NAME)
        self.place = PLACE
        self._order, self._gates = order, gates

    async def _slowly(self, name: str) -> None:
        self._order.append(f"{name} begins")
        gate: Deferred[None] = Deferred()
        self._gates.append(gate)
        await gate
        self._order.append(f"{name} ends")

    async def open(self) -> None:
        await self._slowly("open")

    async def close(self) -> None:
        await self._slowly("close")


class HalfOpenedTests(SynchronousTestCase):
    def setUp(self) -> None:
        _, _, node = network(self)
        self.order: list[str] = []
        self.gates: list[Deferred[None]] = []
        test = self

        class TheirShare:
            def __init__(self, *given: Any) -> None:
                self.catalog = SlowCatalog(test.order, test.gates)
                self.machine = mock.Mock()

        self.patch(room, "TheirShare", TheirShare)
        self.storage: Any = SimpleNamespace(catalogs=Catalogs(mock.Mock()))
        rooms: Any = (SimpleNamespace(current=None), self.storage, None, None)
        self.room = SharesRoom(node.connected, *rooms)
        self.room._removers = [lambda: None]
        self.given: Any = SimpleNamespace(key_id=NAME, place=PLACE, alias=ALIAS, active=True, owner=OWNER)
        self.room.received = mock.Mock(find=lambda *_: self.given, all=lambda: [self.given])
        self.room.received.mark = lambda given, active: setattr(given, "active", active)

    def share(self) -> Share:
        return self.room.find(NAME)

    def begin(self, work: Coroutine[Any, Any, Any]) -> "Deferred[Any]":
        begun = Deferred.fromCoroutine(work)
        begun.addErrback(lambda failure: failure.trap(CancelledError) and None)
        return begun

    def give_up(self, work: Coroutine[Any, Any, Any]) -> None:
        self.begin(work).cancel()

    def release(self) -> None:
        while self.gates:
            gate = self.gates.pop(0)
            if not gate.called:
                gate.callback(None)

    def open_catalogs(self) -> int:
        return len(list(self.storage.catalogs.shared()))

    def test_who_opens_it_gives_up(self) -> None:
        """It is open as a whole all the same, and told to begin."""
        self.give_up(self.room.open(self.share()))
        second = self.begin(self.room.open(self.share()))
        self.release()
        opened: Any = self.share().opened
        self.assertEqual(self.successResultOf(second), opened)
        self.assertEqual((self.order, self.open_catalogs()), (["open begins", "open ends"], 1))
        self.assertEqual(opened.machine.send.call_args_list, [mock.call("open")] * 2)

    def test_who_closes_it_gives_up(self) -> None:
        """It is closed all the same, before it is opened again."""
        self.begin(self.room.open(self.share()))
        self.release()
        self.order.clear()
        self.give_up(self.room.close(self.share()))
        again = self.begin(self.room.open(self.share()))
        self.release()
        self.successResultOf(again)
        self.assertEqual(self.order, ["close begins", "close ends", "open begins", "open ends"])
        self.give_up(self.room.open(self.share()))
        self.give_up(self.room.close(self.share()))
        self.release()
        self.assertEqual((self.share().opened, self.share().active, self.open_catalogs()), (None, False, 0))

    def test_who_waits_to_close_it_gives_up(self) -> None:
        """What was decided happens when it is its turn."""
        self.give_up(self.room.open(self.share()))
        self.give_up(self.room.close(self.share()))
        self.release()
        self.assertEqual((self.share().active, self.share().opened, self.open_catalogs()), (False, None, 0))

    def test_all_is_closed_meanwhile(self) -> None:
        """Who gives up waiting for that does not keep shares open, and whose turn comes later opens nothing."""
        self.begin(self.room.open(self.share()))
        self.release()
        stopping = self.begin(self.room.stop())
        late = Deferred.fromCoroutine(self.room.open(self.share()))
        stopping.cancel()
        self.release()
        self.successResultOf(stopping)
        self.assertEqual(self.failureResultOf(late).value.code, "service-off")
        self.assertEqual((self.room._opened, self.open_catalogs()), ({}, 0))
