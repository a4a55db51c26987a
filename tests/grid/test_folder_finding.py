"""How peers of folders find each other: in the same network, and in the DHT; each way only where it is wanted."""

from typing import Any
from unittest import mock

from bitdust.folders import secrets
from bitdust.folders.lan import EVERY, GROUP, MAGIC, NONCE, PORT, TOKEN
from bitdust.testing.datagrams import MemoryGroupPort
from bitdust.testing.grid import GridNode
from tests.grid.test_folder_checklist import ALONE, OFF, secret_of
from tests.grid.test_folders import SOON, FolderCase, tree_of


class LanTests(FolderCase):
    """Nodes without a name, an ID server or a DHT, in one network."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = (self.grid.add_stranger(name, **ALONE) for name in ("alice", "bob"))
        self.heard: list[tuple[str, bytes]] = []
        write = MemoryGroupPort.write

        def seen(port: MemoryGroupPort, data: bytes, address: tuple[str, int]) -> None:
            self.heard.append((port.getHost().host, data))
            write(port, data, address)

        patched = mock.patch.object(MemoryGroupPort, "write", seen)
        patched.start()
        self.addCleanup(patched.stop)
        for node in (self.alice, self.bob):
            node.start()

    def share_by(self, node: GridNode, number: int, **preferences: int) -> None:
        self.share(node, secret_of(number), **OFF | preferences)

    def test_they_find_each_other(self) -> None:
        """Two machines in one network need nothing but the secret; whoever comes later is found as well."""
        self.share_by(self.alice, 1, search_lan=1)
        self.write(self.alice, "a", b"for whoever is near")
        self.grid.run(5)
        self.share_by(self.bob, 1, search_lan=1)
        self.grid.until((self.root(self.bob) / "a").exists, SOON, "the file")
        self.assertEqual([row.peers for row in self.alice.rooms.folders.folders()], [1])

    def test_by_two_ways_at_once(self) -> None:
        """Nodes that find each other by several ways, and dial each other at the same moment, go on without a pause."""
        for number in (1, 2, 3):
            pair = [self.grid.add_stranger(f"{name}-{number}", **ALONE) for name in ("carol", "dave")]
            for node in pair:
                node.start()
            self.share(pair[0], secret_of(number), **OFF | {"search_lan": 1})
            self.share(pair[1], secret_of(number), pair[0], **OFF | {"search_lan": 1, "use_hosts": 1})
            for file in range(4):
                self.write(pair[0], f"f{file}", b"x" * 1000)
                self.grid.until(lambda pair=pair: self.same(*pair), 5, f"file {file}")
                self.grid.run(0.3)

    def test_only_where_it_is_wanted(self) -> None:
        """Who does not want to be found says nothing, does not answer, and is found when that changes."""
        self.share_by(self.alice, 1, search_lan=1)
        self.share_by(self.bob, 1)
        self.write(self.alice, "a", b"x")
        self.grid.run(2)
        self.heard.clear()
        self.grid.run(2 * EVERY, 0.25)
        self.assertEqual({host for host, _ in self.heard}, {self.alice.address})
        self.assertEqual(tree_of(self.root(self.bob)), {})
        self.grid.wait(self.bob.rooms.folders.set_preferences(secret_of(1).text, {"search_lan": 1}))
        self.grid.until((self.root(self.bob) / "a").exists, SOON, "the file")
        self.grid.wait(self.alice.rooms.folders.pause(secret_of(1).text))
        self.grid.wait(self.bob.rooms.folders.set_preferences(secret_of(1).text, {"search_lan": 0}))
        self.grid.run(2)
        self.heard.clear()
        self.grid.run(2 * EVERY, 0.25)
        self.assertEqual(self.heard, [])

    def test_what_is_said(self) -> None:
        """An announcement shows neither secret nor folder, and no two of them have anything in common."""
        self.share_by(self.alice, 1, search_lan=1)
        self.grid.run(2 * EVERY + 5, 0.25)
        (_, one), (_, other) = self.heard[-2:]
        secret = secret_of(1)
        for text in (secret, *secret.weaker()):
            for shown in (text.body, text.folder_id[:8], text.text.encode()):
                self.assertNotIn(shown, one)
        size = len(MAGIC) + NONCE + 2
        tokens = [[raw[at : at + TOKEN] for at in range(size, len(raw), TOKEN)] for raw in (one, other)]
        self.assertEqual((len(tokens[0]), set(tokens[0]) & set(tokens[1])), (4, set()))

    def test_who_means_no_good(self) -> None:
        """Another secret, old announcements, noise, and very many of them lead to no connection."""
        self.share_by(self.alice, 1, search_lan=1)
        self.share_by(self.bob, 2, search_lan=1)
        self.grid.run(EVERY + 5, 0.25)
        (_, said) = next(one for one in self.heard if one[0] == self.alice.address)
        self.grid.run(2000, 1.0)
        stranger = self.grid.network.host("10.0.7.7")
        port = stranger.listen_multicast(GROUP, PORT, mock.Mock(), stranger.address)
        for raw in (said, b"", MAGIC, MAGIC + bytes(34), said[:-1], said[:20] + b"x" + said[21:], *[said] * 200):
            port.write(raw, (GROUP, PORT))
        dialled: list[Any] = []
        with mock.patch.object(type(self.alice.rooms.gateway), "dial", lambda *given, **more: dialled.append(given)):
            self.grid.run(5)
        self.assertEqual(dialled, [])
        self.assertEqual([row.peers for row in self.bob.rooms.folders.folders()], [0])


class DhtTests(FolderCase):
    def test_by_the_table_alone(self) -> None:
        """Two people who know nothing of each other but a secret find each other in the DHT, where both want that."""
        secret = secrets.make("D", lambda size: bytes([5]) * size)
        alice, bob = self.person("alice"), self.person("bob")
        self.share(alice, secret, **OFF | {"use_dht": 1})
        self.write(alice, "a", b"for whoever holds the secret")
        self.grid.run(10)
        self.share(bob, secret.weaker()[0], **OFF)
        self.grid.run(10)
        self.assertEqual(tree_of(self.root(bob)), {})
        self.grid.wait(bob.rooms.folders.set_preferences(secret.weaker()[0].text, {"use_dht": 1}))
        self.grid.until((self.root(bob) / "a").exists, SOON, "the file")

    def test_as_soon_as_there_is_a_table(self) -> None:
        """Who starts without a network finds others as soon as it has one."""
        secret = secrets.make("D", lambda size: bytes([5]) * size)
        alice, bob = self.person("alice"), self.person("bob")
        self.share(alice, secret, **OFF | {"use_dht": 1})
        self.write(alice, "a", b"for whoever holds the secret")
        self.grid.run(10)
        bob.crash()
        self.grid.network.cut = lambda one, other: "10.0.9.9" in (one, other)
        bob = bob.again("10.0.9.9")
        self.grid.until(lambda: bob.is_on("tcp_connections"), 60, "the port")
        self.share(bob, secret, **OFF | {"use_dht": 1})
        self.grid.run(60)
        self.grid.network.cut = lambda one, other: False
        self.grid.until((self.root(bob) / "a").exists, 60, "the file")
