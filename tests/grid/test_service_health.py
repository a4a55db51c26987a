"""Health checks fail when the duty is not done: in a whole node one thing is broken, and one check says so."""

import os
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from bitdust import services
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyring import RingKey
from bitdust.dht.node import DHTOff
from bitdust.ipld.cid import Cid
from bitdust.people.names import holder
from bitdust.services import service_key_exchange
from bitdust.services.service import Unhealthy
from bitdust.storage.packs.erasure import Coder
from bitdust.testing.grid import GridNode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import PackRecord
from tests.api.test_nouns import document
from tests.grid.test_main_job import GridCase

PAIR = {"services/customer/suppliers-number": 2}


class HealthCase(GridCase):
    node: GridNode

    def healthy(self, service: str) -> None:
        """The service is ON, and its check passes."""
        self.assertTrue(self.node.is_on(service), self.node.reason(service))
        self.grid.wait(maybeDeferred(self.node.node.driver.health, service))

    def unhealthy(self, service: str, words: str) -> None:
        """The check of a service that is ON fails with these words."""
        self.assertTrue(self.node.is_on(service), self.node.reason(service))
        found: list[Any] = []
        maybeDeferred(self.node.node.driver.health, service).addBoth(found.append)
        self.grid.until(lambda: found, 60, "the check")
        self.assertIsInstance(getattr(found[0], "value", found[0]), Unhealthy)
        self.assertIn(words, str(found[0].value))


class SupplierHealthTests(HealthCase):
    """Services of a node without suppliers of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(1)
        (self.node,) = self.suppliers

    def test_all_are_healthy(self) -> None:
        """On a node that works every service that is ON passes its check."""
        names = [row["name"].removeprefix("service_") for row in self.node.node.driver.list() if row["state"] == "ON"]
        self.assertGreater(len(names), 12)
        for name in names:
            self.healthy(name)

    def test_network(self) -> None:
        """A machine whose last address went away is on no network."""
        self.grid.network.host(self.node.address).interfaces = list
        self.grid.until(lambda: not self.node.is_on("network"), 120, "the end of the network")
        self.assertIn("no network interface with an address", self.node.reason("network"))

    def test_tcp_connections(self) -> None:
        """Where the TCP port is closed, nobody can connect."""
        self.grid.wait(self.node.rooms.gateway.stop())
        self.unhealthy("tcp_connections", "the TCP port for peers is closed")

    def test_identity_server(self) -> None:
        """An ID server whose web port is closed serves nobody."""
        self.node = self.seed
        self.healthy("identity_server")
        self.grid.wait(maybeDeferred(self.seed.rooms.identity.server.stop))
        self.unhealthy("identity_server", "the web port of the ID server is closed")

    def test_keys_registry(self) -> None:
        """A key file that others can read, or that is gone, is no place for a key."""
        path = self.node.home / "metadata" / "mykeyfile"
        path.chmod(0o644)
        self.unhealthy("keys_registry", "readable by others")
        path.rename(path.with_name("elsewhere"))
        self.unhealthy("keys_registry", "is missing")

    def test_supplier(self) -> None:
        """A store whose folder is gone keeps nothing."""
        folder = self.node.rooms.customers.store.folder
        folder.rename(folder.with_name("unmounted"))
        self.unhealthy("supplier", "is its disk mounted?")

    def test_block_store(self) -> None:
        """A store is off until a person wants it; one whose folder is gone, or that is closed, keeps no blocks."""
        self.assertFalse(self.node.is_on("block_store"))
        self.assertFalse((self.node.home / "blocks").exists())
        self.node.node.settings.set("services/block-store/enabled", True)
        self.grid.until(lambda: self.node.is_on("block_store"), 60, "the store")
        self.healthy("block_store")
        folder = self.node.rooms.blocks.folder
        folder.rename(folder.with_name("unmounted"))
        self.unhealthy("block_store", "is its disk mounted?")
        self.grid.wait(self.node.rooms.blocks.close())
        self.unhealthy("block_store", "is not open")

    def test_ipfs(self) -> None:
        """Clients of IPFS are answered where a person wants it; a port that is closed answers nobody."""
        for name in ("block-store", "ipfs"):
            self.node.node.settings.set(f"services/{name}/enabled", True)
        self.grid.until(lambda: self.node.is_on("ipfs"), 60, "the port")
        self.healthy("ipfs")
        door = self.node.rooms.ipfs
        self.grid.wait(door._opened.close())
        self.unhealthy("ipfs", "its port is closed")
        self.grid.wait(door.close())
        self.unhealthy("ipfs", "is not open")

    def test_folder_sync(self) -> None:
        """Folders are kept in sync where a person has added one; one that nobody looks after is told of."""
        self.assertFalse(self.node.is_on("folder_sync"))
        root = self.base.absolute() / "folder"
        root.mkdir()
        folders = self.node.rooms.folders
        self.grid.wait(folders.add(root, None))
        self.grid.until(lambda: self.node.is_on("folder_sync"), 60, "the folder")
        self.healthy("folder_sync")
        (folder,) = folders.open_folders()
        self.grid.wait(folder.stop())
        self.unhealthy("folder_sync", "nobody looks after")
        self.grid.wait(folders.close())
        self.unhealthy("folder_sync", "no folder is open")

    def test_btsync(self) -> None:
        """Clients of BitTorrent Sync are answered where a person wants it; a port that is closed answers nobody."""
        self.node.node.settings.set("services/btsync/enabled", True)
        self.grid.until(lambda: self.node.is_on("btsync"), 60, "the port")
        self.healthy("btsync")
        self.grid.wait(self.node.rooms.btsync._opened.close())
        self.unhealthy("btsync", "its port is closed")

    def test_web_socket_router(self) -> None:
        """A router that takes no packets, or no apps, carries nothing."""
        self.node.node.settings.set("services/web-socket-router/enabled", True)
        self.grid.until(lambda: self.node.is_on("web_socket_router"), 60, "the router")
        self.healthy("web_socket_router")
        row = self.node.rooms.router.rows()[0]
        inbox = self.node.rooms.gateway.inbox
        with mock.patch.object(inbox, "rows", return_value=[one for one in inbox.rows() if one != row]):
            self.unhealthy("web_socket_router", "are not answered")
        self.grid.wait(Deferred.fromCoroutine(self.node.rooms.router.stop()))
        self.unhealthy("web_socket_router", "the port for apps is closed")

    def test_web_socket_communicator(self) -> None:
        """A node that takes no packets of routers, or has lost the way to one, lets in no app from afar."""
        self.healthy("web_socket_communicator")
        row, inbox = self.node.rooms.companions.rows()[0], self.node.rooms.gateway.inbox
        with mock.patch.object(inbox, "rows", return_value=[one for one in inbox.rows() if one != row]):
            self.unhealthy("web_socket_communicator", "are not answered")
        with mock.patch.object(self.node.rooms.companions, "deaf", return_value=["phone"]):
            self.unhealthy("web_socket_communicator", "nobody listens any more for phone")

    def test_broadcasting(self) -> None:
        """A node that takes no messages to everybody hears none."""
        self.node.node.settings.set("services/broadcasting/enabled", True)
        self.grid.until(lambda: self.node.is_on("broadcasting"), 60, "the service")
        self.healthy("broadcasting")
        row, inbox = self.node.rooms.people.broadcasts.row(), self.node.rooms.gateway.inbox
        with mock.patch.object(inbox, "rows", return_value=[one for one in inbox.rows() if one != row]):
            self.unhealthy("broadcasting", "are not heard")

    def test_p2p_hookups(self) -> None:
        """A node without an address to tell is found by nobody."""
        self.node.rooms.identity.me.set_addresses([])
        self.grid.wait(self.node.rooms.gateway.stop())
        self.unhealthy("p2p_hookups", "nobody can connect to this node")

    def test_message_history(self) -> None:
        """A history that is not open, or whose last message could not be stored, keeps nothing."""
        history = self.node.rooms.people.history
        self.healthy("message_history")
        history.problem = "messages/history.db: the disk is full"
        self.unhealthy("message_history", "the disk is full")
        self.grid.wait(history.close())
        self.unhealthy("message_history", "the history of messages is not open")

    def test_friends(self) -> None:
        """A list that cannot be read, and a friend whom nobody follows, are told."""
        friends = self.node.rooms.people.friends
        self.grid.wait(friends.add(document("bob", DeviceKey.from_seed(b"b" * 32))))
        self.healthy("friends")
        self.node.rooms.peers.presence.forget(friends.all()[0].fingerprint, "friend")
        self.unhealthy("friends", "1 of my friends are not followed")
        (self.node.home / "metadata" / "friends").write_text("{")
        friends.load()
        self.unhealthy("friends", "cannot be read")

    def test_private_messages(self) -> None:
        """A store that is closed is told."""
        self.healthy("private_messages")
        self.grid.wait(Deferred.fromCoroutine(self.node.rooms.people.messages.store.close()))
        self.unhealthy("private_messages", "the store of messages is closed")

    def test_key_exchange(self) -> None:
        """A key ring that has no room takes no key."""
        self.healthy("key_exchange")
        self.patch(service_key_exchange, "most_keys", lambda revoked: 1)
        self.unhealthy("key_exchange", "the key ring is full")

    def test_joint_postman(self) -> None:
        """Very many devices that do not answer reports show that nobody hears of anything."""
        readers = self.node.rooms.customers.readers
        self.healthy("joint_postman")
        readers._late = {((b"o", b"%d" % number), (b"f", b"d")): False for number in range(1001)}
        self.unhealthy("joint_postman", "1001 devices have not answered a report yet")

    def test_private_groups(self) -> None:
        """A group that is joined and is not open is told."""
        self.healthy("private_groups")
        self.node.rooms.identity.me.key_ring.add(RingKey("group_1"))
        self.unhealthy("private_groups", "1 groups that are joined are not open, such as group_1$")

    def test_nickname(self) -> None:
        """A nickname that no node keeps is found by nobody."""
        self.grid.until(lambda: self.node.rooms.people.names.holder.standing.position == 0, 60, "the nickname")
        self.node.rooms.people.names.holder.report(None, "all its positions belong to others")
        self.healthy("nickname")
        self.patch(holder, "PATIENCE", 0.0)
        self.unhealthy("nickname", "nobody finds me as supplier-1")

    def test_gateway(self) -> None:
        """A request that goes on for more than a minute after its deadline shows that packets do not become events."""
        gateway = self.node.rooms.gateway
        asked = gateway.outbox.send(self.add_peer(), Command.IDENTITY, {}, deadline=5.0)
        asked.addErrback(lambda _: None)
        for machine in self.node.node.registry:
            if machine.name in ("packet_out", "dialler"):
                machine.stop_timers()
        self.grid.run(30, 0.5)
        self.healthy("gateway")
        self.grid.run(40, 0.5)
        self.unhealthy("gateway", "1 requests to peers do not come to an end")
        asked.cancel()

    def add_peer(self) -> bytes:
        """A peer that nobody can reach, and whose address nobody can find."""
        looking: Deferred[list[str]] = Deferred()
        self.addCleanup(self.node.rooms.gateway.add_resolver(lambda fingerprint: looking))
        return bytes(32)

    def test_tcp_transport(self) -> None:
        """A connection that stays without proof for two minutes shows that sessions do not come to their ends."""
        stranger = self.grid.network.host("10.0.0.99")
        connected: list[Any] = []
        port = self.node.rooms.gateway.port()
        stranger.client(self.node.address, port).connect(Factory.forProtocol(Protocol)).addBoth(connected.append)
        self.grid.until(lambda: connected, 10, "the connection")
        for machine in self.node.node.registry:
            if machine.name == "tcp_connection":
                machine.stop_timers()
        self.grid.run(100, 1.0)
        self.healthy("tcp_transport")
        self.grid.run(30, 1.0)
        self.unhealthy("tcp_transport", "1 connections neither prove themselves nor end")

    def test_nodes_lookup(self) -> None:
        """That nobody outside answers stops nothing here; a node of the hash table that does not run is a fault."""
        lookup = self.node.rooms.nodes_lookup
        with mock.patch.object(lookup._identity.client, "look_up", side_effect=BitDustError("timeout", "no answer")):
            for _ in range(9):
                self.failureResultOf(lookup.identify("http://10.0.0.1:8084/nobody.xml"), BitDustError)
        self.healthy("nodes_lookup")
        self.grid.wait(self.node.rooms.dht.node.stop())
        self.unhealthy("nodes_lookup", "the DHT cannot be asked")

    def test_identity_propagate(self) -> None:
        """An identity that neither an ID server nor the hash table takes is known to nobody."""
        self.seed.kill()
        propagation, me = self.node.rooms.identity.propagation, self.node.rooms.identity.me
        with mock.patch.object(self.node.rooms.dht.directory, "put_identity", lambda document: fail(DHTOff())):
            me.renew_device(revoke=False)
            self.grid.until(lambda: propagation.machine.state == "UNKNOWN", 300, "the end of the round")
        self.unhealthy("identity_propagate", "nobody knows my identity")

    def test_data_disintegration(self) -> None:
        """An erasure code that gives back something else is of no use."""
        with mock.patch.object(Coder, "decode", lambda coder, pieces, size, segment: bytes(size)):
            self.unhealthy("data_disintegration", "does not give back what it was given")

    def test_entangled_dht(self) -> None:
        """A hash table whose port is closed answers nobody, and one that heard nobody for an hour keeps no contact."""
        node = self.node.rooms.dht.node
        self.grid.run(30)
        self.healthy("entangled_dht")
        heard = node.silence()
        self.assertLess(heard, 60)
        node._stack.upkeep.stop()
        for contact in node._stack.peers.everyone():
            contact.heard -= 3601
        self.unhealthy("entangled_dht", "no node of the DHT was heard for 60 minutes")
        self.grid.wait(node.stop())
        self.unhealthy("entangled_dht", "the UDP port")

    def test_udp_datagrams(self) -> None:
        """A port that is closed takes no datagram."""
        self.grid.wait(maybeDeferred(self.node.rooms.gateway.datagrams.close))
        self.unhealthy("udp_datagrams", "the UDP port is closed")

    def test_customer_family(self) -> None:
        """Records of customers who are away, and that could not be written for a day, are not kept alive."""
        with mock.patch.object(self.node.rooms.customers.families, "overdue", lambda: [bytes(32)]):
            self.unhealthy("customer_family", "family records of 1 customers could not be kept alive for a day")

    def test_customer_patrol(self) -> None:
        """Contracts that nobody has checked for three hours are not watched."""
        self.healthy("customer_patrol")
        for machine in self.node.node.registry:
            if machine.name in ("customers_rejector", "local_tester"):
                machine.stop_timers()
        self.grid.run(3 * 3600 - 120, 10.0)
        self.assertTrue(self.node.is_on("customer_patrol"))
        self.grid.until(lambda: not self.node.is_on("customer_patrol"), 300, "the end of the patrol")
        self.assertIn("were not checked for three hours", self.node.reason("customer_patrol"))


class CustomerHealthTests(HealthCase):
    """Services of a node with two suppliers."""

    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(2)
        self.node = self.add_customer("alice", **PAIR)

    def test_shared_data(self) -> None:
        """A share that is to be open and is not is told."""
        self.healthy("shared_data")
        self.node.rooms.identity.me.key_ring.add(RingKey("share_1"))
        self.unhealthy("shared_data", "1 shares that are to be open are not, such as share_1$")

    def test_all_are_healthy(self) -> None:
        """On a node that works every service that is ON passes its check."""
        for row in self.node.node.driver.list():
            if row["state"] == "ON":
                self.healthy(row["name"].removeprefix("service_"))

    def test_ipfs_backup(self) -> None:
        """A block that cannot be read is not backed up; where nothing can be stored for an hour, that is told."""
        for name in ("block-store", "ipfs-backup"):
            self.node.node.settings.set(f"services/{name}/enabled", True)
        self.grid.until(lambda: self.node.is_on("ipfs_backup"), 60, "the backup")
        self.healthy("ipfs_backup")
        keeper = self.node.rooms.blocks.backup.keeper
        keeper.give_up(BitDustError("too-few-suppliers", "nobody takes it"))
        self.healthy("ipfs_backup")
        keeper.failing_since -= 3601
        self.unhealthy("ipfs_backup", "nothing could be backed up for an hour: nobody takes it")
        keeper.unreadable[Cid.of(b"")] = "it is not here"
        self.unhealthy("ipfs_backup", "1 blocks are not backed up, such as bafk")
        keeper.lost.append("bafy")
        self.unhealthy("ipfs_backup", "1 pins have not come back whole, such as bafy")
        self.node.rooms.blocks.backup.close()
        self.unhealthy("ipfs_backup", "is not open")

    def test_my_data(self) -> None:
        """Storage is ready while as many suppliers are connected as give every file back, and by itself again later."""
        self.healthy("my_data")
        for supplier in self.suppliers:
            supplier.kill()
        self.grid.until(lambda: not self.node.is_on("my_data"), 300, "the end of readiness")
        self.assertIn("0 of my suppliers are connected, and files need 1", self.node.reason("my_data"))
        self.assertTrue(self.node.is_on("backups"))

    def test_customer(self) -> None:
        """A supplier that nobody tries to connect any more shows that contact is not kept."""
        supplier = self.suppliers[0].fingerprint
        self.healthy("customer")
        self.node.rooms.suppliers.connectors.of(supplier).stop_timers()
        self.unhealthy("customer", "1 of my suppliers are not contacted any more")

    def test_employer(self) -> None:
        """A family with fewer members than a file needs is too small to work with."""
        self.node.rooms.suppliers.family.write([None, None], [None, None])
        self.unhealthy("employer", "supplier")

    def test_data_motion(self) -> None:
        """A spool whose folder is gone keeps no piece that waits."""
        spool = self.node.rooms.storage.core.spool.folder
        spool.rename(spool.with_name("gone"))
        self.unhealthy("data_motion", "is gone")

    def test_keys_storage(self) -> None:
        """A key ring that is gone from the disk can be brought to nobody."""
        (self.node.home / "metadata" / "keyring").unlink()
        self.unhealthy("keys_storage", "where my key ring is stored, is gone")

    def test_backup_db(self) -> None:
        """A catalog that cannot be read is no catalog."""
        core = self.node.rooms.storage.core
        core.catalog.read.close()
        self.broken("backup_db", "closed database")

    def broken(self, service: str, words: str) -> None:
        """The check fails with an error that is not its own."""
        failure = self.failureResultOf(maybeDeferred(self.node.node.driver.health, service))
        self.assertIn(words, failure.getErrorMessage())

    def test_list_files(self) -> None:
        """Suppliers that nobody has asked for two hours may have lost anything."""
        self.node.rooms.storage.core.monitor.machine.stop_timers()
        self.healthy("list_files")
        self.grid.run(7200 - 60, 5.0)
        self.grid.until(lambda: not self.node.is_on("list_files"), 300, "the end of the service")
        self.assertIn("no supplier was asked what it holds", self.node.reason("list_files"))

    def test_backups(self) -> None:
        """A part of the round that fails three times in a row keeps files from being whole, until it works again."""
        core = self.node.rooms.storage.core
        with mock.patch.object(type(core.monitor._rebuilder), "rebuild", side_effect=OSError(5, "I/O error")):
            for number in range(3):
                self.assertEqual(core.monitor.problem(), "", number)
                core.monitor.sync()
                self.grid.run(5, 0.1)
            self.unhealthy("backups", "rebuilding failed 3 times in a row")
        core.monitor.sync()
        self.grid.run(5, 0.1)
        self.healthy("backups")

    def test_restores(self) -> None:
        """A pack that is still being fetched after two hours shows that downloads do not come to their ends."""
        local = self.base / "file"
        local.write_bytes(os.urandom(300_000))
        self.upload(self.node, local, "file")
        core = self.node.rooms.storage.core
        (body,) = core.catalog.read.execute("SELECT record FROM packs LIMIT 1").fetchone()
        places = dict(enumerate(self.node.rooms.suppliers.family.members))
        for supplier in self.suppliers:
            supplier.kill()
        fetching = core.fetcher.fetch(PackRecord.from_body(bytes(body)), places)
        fetching.addErrback(lambda _: None)
        for machine in self.node.node.registry:
            if machine.name in ("pack_fetch", "packet_out"):
                machine.stop_timers()
        self.healthy("restores")
        core.fetcher._fetches = dict.fromkeys(core.fetcher._fetches, self.grid.clock.seconds() - 7201)
        self.unhealthy("restores", "a pack is being fetched for 120 minutes")
        fetching.cancel()


class EveryServiceTests(SynchronousTestCase):
    def test_every_check_is_seen_failing(self) -> None:
        """Each service has a test here, named for it, that sees its check fail."""
        folder = Path(services.__file__).parent
        names = {path.stem.removeprefix("service_") for path in folder.glob("service_*.py")}
        tested = {
            name.removeprefix("test_") for case in (SupplierHealthTests, CustomerHealthTests) for name in dir(case)
        }
        self.assertEqual(names - tested, set())
