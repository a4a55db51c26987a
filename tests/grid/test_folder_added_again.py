"""A folder that is removed and added again, on a whole node, while the disk is slow."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.folders import secrets
from bitdust.folders.folder import Folder
from bitdust.folders.secrets import Secret
from bitdust.folders.store import Store
from bitdust.testing.grid import GridNode
from tests.grid.test_folders import SOON, FolderCase


class AddedAgainTests(FolderCase):
    def begin(self) -> tuple[GridNode, Secret, Folder]:
        """Somebody with one folder."""
        secret = secrets.make("D", lambda size: bytes(range(size)))
        alice = self.person("alice")
        self.share(alice, secret)
        (former,) = alice.rooms.folders.open_folders()
        return alice, secret, former

    def test_while_the_former_one_works(self) -> None:
        """Nobody works on its journal and files twice at a time: it begins when what was begun before has ended."""
        alice, secret, former = self.begin()
        folders, opened, gate = alice.rooms.folders, list[Store](), Deferred[None]()
        close, real = former.store.close, Store.open

        async def closing() -> Any:
            await gate
            return await close()

        def opening(store: Store) -> None:
            opened.append(store)
            real(store)

        self.patch(former.store, "close", lambda: Deferred.fromCoroutine(closing()))
        self.patch(Store, "open", opening)
        removing = folders.remove(secret.text)
        adding = folders.add(self.root(alice), secret)
        self.grid.run(5, 0.5)
        self.assertEqual(opened, [])
        gate.callback(None)
        self.grid.until(lambda: removing.called and adding.called, SOON, "both")
        (folder,) = folders.open_folders()
        self.grid.until(lambda: folder.machine.state == "IN_SYNC", SOON, "it is in sync")
        self.assertEqual(opened, [folder.store])

    def test_the_service_is_started_again_meanwhile(self) -> None:
        """It has not stopped before the former one has ended, and begins the new one after that."""
        alice, secret, former = self.begin()
        folders, gate = alice.rooms.folders, Deferred[None]()
        self.patch(former.store, "close", lambda: gate)
        folders.remove(secret.text)
        folders.add(self.root(alice), secret)
        closing = folders.close()
        self.grid.run(2, 0.5)
        self.assertFalse(closing.called)
        gate.callback(None)
        self.grid.until(lambda: closing.called, SOON, "the end")
        self.assertEqual(folders.open_folders(), [])
        folders.open()
        (folder,) = folders.open_folders()
        self.grid.until(lambda: folder.machine.state == "IN_SYNC", SOON, "it is in sync")

    def test_removed_once_more(self) -> None:
        """What is removed while it waits is not begun."""
        alice, secret, former = self.begin()
        folders, gate = alice.rooms.folders, Deferred[None]()
        self.patch(former.store, "close", lambda: gate)
        folders.remove(secret.text)
        adding = folders.add(self.root(alice), secret)
        self.grid.run(2, 0.5)
        self.grid.wait(folders.remove(secret.text))
        gate.callback(None)
        self.grid.until(lambda: adding.called, SOON, "the end")
        self.assertEqual((folders.open_folders(), folders.folders()), ([], []))
