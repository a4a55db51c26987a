"""A keeper of a folder of which a chunk is found damaged, on whole nodes."""

import os
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.folders import secrets
from bitdust.folders.blind import spot_of
from bitdust.folders.fetching import Wanted
from bitdust.folders.segments import name_of
from bitdust.folders.tree import BLIND
from tests.grid.test_folders import SOON, FolderCase


class DamageTests(FolderCase):
    def test_found_while_others_are_fetched(self) -> None:
        """It is fetched again as soon as those have come, and not only when there is news of the folder."""
        secret = secrets.make("D", lambda size: bytes(range(size)))
        alice, keeper = self.person("alice"), self.person("keeper")
        self.share(alice, secret)
        self.share(keeper, secret.weaker()[1], alice)
        (folder,) = keeper.rooms.folders.open_folders()
        store, keeping, gates = folder.store, folder._keeping, list[Deferred]()
        bring = keeping._bring

        def kept() -> list[bytes]:
            return [bytes(name) for (name,) in store.journal.database.execute("SELECT name FROM kept").fetchall()]

        async def slowly(wanted: Sequence[Wanted]) -> Any:
            gates.append(Deferred())
            await gates[-1]
            return await bring(wanted)

        self.write(alice, "before", os.urandom(10_000))
        self.grid.until(lambda: kept() and folder.machine.state == "IN_SYNC", 4 * SOON, "the first file")
        (name,) = kept()
        spot = spot_of(store.journal.database, name)
        self.patch(keeping, "_bring", slowly)
        self.write(alice, "more", os.urandom(10_000))
        self.grid.until(lambda: bool(gates), 4 * SOON, "the second one is fetched")
        with (store.tree.root / BLIND / name_of(spot.segment)).open("r+b") as stream:
            stream.seek(spot.offset)
            stream.write(b"damage")
        store.blind.doubted.add(name)
        folder.look_for_chunks()
        self.patch(keeping, "_bring", bring)
        gates[0].callback(None)
        self.grid.until(lambda: spot_of(store.journal.database, name) not in (None, spot), SOON, "it is fetched again")
        self.assertEqual((len(kept()), store.blind.doubted), (2, set()))
