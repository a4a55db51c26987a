"""Folders at suppliers, with whole nodes: the secret alone brings one back to somebody else when all peers are lost."""

from typing import Any
from unittest import mock

from attrs import evolve
from twisted.internet.defer import Deferred, fail

from bitdust.crypt.boxes import open_from, seal_to
from bitdust.crypt.capabilities import proven
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.shares import GivenShare
from bitdust.folders import secrets
from bitdust.folders.keys import FolderKeys
from bitdust.folders.secrets import Secret
from bitdust.shares import donations
from bitdust.shares.offer import read_offer, write_offer
from bitdust.testing.grid import GridNode
from bitdust.wire.capability import Capability, Right, ShownCapability
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import FOLDER_KEYS
from bitdust.wire.packet import Command
from bitdust.wire.records import Family
from tests.grid.test_folder_suppliers import LONG, SuppliersCase
from tests.grid.test_folders import tree_of
from tests.grid.test_pin_backup import noise
from tests.hostile.test_addresses import Neighbour

FILES = {"song": noise("song", 100_000), "letters/one": b"Mary had a little lamb", "empty": b""}
LARGE = noise("large", 3_000_000)
NO_MORE: dict[str, bytes] = {}
A_WHILE = 200.0
DAY = 86_400


class SecretCase(SuppliersCase):
    """Alice has a folder at suppliers; others have its secret, and no peer is there once she is gone."""

    def setUp(self) -> None:
        super().setUp()
        self.reads, self.keeps = self.secret.weaker()

    @property
    def alias(self) -> str:
        return FOLDER_KEYS + self.secret.folder_id.hex()[:32]

    def has_files(self, suppliers: int = 2, more: dict[str, bytes] = NO_MORE) -> GridNode:
        """Alice with a folder that nobody else has yet."""
        alice = self.alice_with(suppliers)
        self.share(alice, self.secret)
        for name, data in (FILES | more).items():
            self.write(alice, name, data)
        self.grid.wait(alice.rooms.folders.rescan(self.secret.text))
        return alice

    def kept(self, suppliers: int = 2, more: dict[str, bytes] = NO_MORE) -> GridNode:
        alice = self.has_files(suppliers, more)
        self.keep(alice, self.secret)
        self.grid.run(5)
        return alice

    def nameless(self, name: str) -> GridNode:
        node = self.grid.add(name, **{"services/identity-propagate/known-servers": ""})
        node.start()
        return node

    def comes(self, node: GridNode, more: dict[str, bytes] = NO_MORE) -> None:
        tree: dict[str, bytes | None] = {"letters": None} | FILES | more
        self.grid.until(lambda: tree_of(self.root(node)) == tree, LONG, "the files")

    def gets_nothing(self, node: GridNode, seconds: float = A_WHILE) -> None:
        self.grid.pass_time(seconds)
        self.assertEqual(tree_of(self.root(node)), {})

    def holder(self, secret: Secret | None = None) -> DeviceKey:
        holder = FolderKeys(secret or self.reads).holder
        assert holder is not None
        return holder

    def did(self, coroutine: Any) -> Any:
        return self.grid.wait(Deferred.fromCoroutine(coroutine))

    def offered(self, node: GridNode, holder: DeviceKey | None = None) -> list[Any]:
        """Of each owner the newest, unless it was withdrawn; the oldest of them first."""
        found: list[Any] = self.did(node.rooms.shares.borrowing.records.find((holder or self.holder()).public))
        newest = {one.owner: one for one in reversed(found)}
        return sorted((one for one in newest.values() if one.sealed), key=lambda one: one.time)


class SecretAloneTests(SecretCase):
    def test_somebody_else(self) -> None:
        """Somebody with a name gets all files with the secret that reads, while half of the suppliers are gone."""
        more = {"large": LARGE}
        self.lose(self.kept(4, more))
        for supplier in self.suppliers[:2]:
            supplier.kill()
        bob = self.person("bob")
        self.share(bob, self.reads)
        self.comes(bob, more)
        row = self.row(bob, self.reads)
        self.assertEqual((row.wanted, row.state, row.left, row.problem), (False, "borrowed", 0, ""))
        self.grid.until(lambda: self.row(bob, self.reads).state == "off", LONG, "that nobody is asked any more")
        self.assertEqual(bob.rooms.folders.open_folders()[0].beyond, [])

    def test_known_by_a_key_alone(self) -> None:
        """Whoever has no name gets them as well, and only reads: what is changed there changes nothing at suppliers."""
        alice = self.kept()
        self.lose(alice)
        carol = self.nameless("carol")
        self.share(carol, self.reads)
        self.comes(carol)
        self.write(carol, "empty", b"of carol")
        self.write(carol, "more", b"of carol")
        self.grid.run(130)
        dave = self.nameless("dave")
        self.share(dave, self.secret, use_tracker=0, use_dht=1)
        self.comes(dave)

    def test_news_without_the_owner(self) -> None:
        """What its owner has changed since comes with the next look, though the owner is away again."""
        alice = self.kept()
        bob = self.nameless("bob")
        self.share(bob, self.reads)
        self.comes(bob)
        self.changes(alice, "new", b"of alice")
        self.grid.run(61)
        self.is_kept(alice, self.secret)
        self.lose(alice)
        self.grid.until((self.root(bob) / "new").exists, 2 * 3600, "the new file")


class NothingTests(SecretCase):
    def test_other_secrets(self) -> None:
        """Another secret, and one that only keeps, bring nothing; nor does the right one where nobody is asked."""
        self.lose(self.kept())
        other = secrets.make("D", lambda size: bytes([9]) * size)
        for name, secret in (("bob", other), ("carol", self.keeps)):
            node = self.nameless(name)
            self.share(node, secret)
        self.share(dave := self.nameless("dave"), self.reads, use_tracker=0)
        self.grid.pass_time(A_WHILE)
        for node in self.grid.nodes[-3:]:
            self.assertEqual(tree_of(self.root(node)), {})
        self.assertEqual(self.row(dave, self.reads).state, "off")

    def test_withdrawn(self) -> None:
        """Once the folder is kept at suppliers no more nothing is found, and what was found before counts no more."""
        alice = self.kept()
        (before,) = self.offered(alice)
        self.grid.wait(alice.rooms.folders.set_suppliers(self.secret.text, False))
        self.grid.run(30)
        self.assertEqual(self.offered(alice), [])
        self.lose(alice)
        bob = self.nameless("bob")
        self.share(bob, self.reads)
        self.gets_nothing(bob)
        shown = self.shown(before.sealed, self.suppliers[0], bob)
        self.assertEqual(self.refusal(bob, before.owner, shown), "not-allowed")

    def test_on_again(self) -> None:
        """Who has it kept again after that lets the same secret in again."""
        alice = self.kept()
        self.grid.wait(alice.rooms.folders.set_suppliers(self.secret.text, False))
        self.grid.run(30)
        self.keep(alice, self.secret)
        self.grid.run(30)
        self.lose(alice)
        bob = self.nameless("bob")
        self.share(bob, self.reads)
        self.comes(bob)

    def test_expired(self) -> None:
        """When the word of the owner has come to its end nothing is found, and suppliers take it for none."""
        self.patch(donations, "LONGEST", 400)
        alice = self.has_files()
        self.patch(alice.rooms.shares.donations, "_renew_end", lambda key, grant: None)
        self.keep(alice, self.secret)
        self.grid.run(5)
        (before,) = self.offered(alice)
        (grant,) = alice.rooms.identity.me.key_ring.keys[self.alias].grants
        self.assertEqual([one.ends for one in self.share_in(before.sealed).grants], [grant.ends])
        self.lose(alice)
        self.grid.run(grant.ends - alice.node.world.wall(), 0.5)
        bob = self.nameless("bob")
        self.share(bob, self.reads)
        self.gets_nothing(bob)
        shown = self.shown(before.sealed, self.suppliers[0], bob)
        self.assertEqual(self.refusal(bob, before.owner, shown), "not-allowed")

    def test_forged_offers(self) -> None:
        """Offers of somebody who is not the owner count for nothing, wherever they lie, and keep nobody from the true
        one."""
        mallory = self.person("mallory")
        self.add_suppliers(1)
        self.grid.run(60)
        put = mallory.rooms.shares.borrowing.records.put
        now = int(mallory.node.world.wall() * 1000)
        self.did(put(self.holder().public, b"no box at all", now, DAY))
        alice = self.kept()
        true = next(one for one in self.offered(alice) if one.owner == alice.fingerprint)
        self.did(put(self.holder().public, seal_to(self.holder().public, self.opened(true.sealed)), now + 1, DAY))
        self.assertEqual([one.owner for one in self.offered(alice)], [mallory.fingerprint, alice.fingerprint])
        self.lose(alice)
        bob = self.nameless("bob")
        self.share(bob, self.reads)
        self.comes(bob)

    def test_into_private_networks(self) -> None:
        """Whoever has the secret and offers something leads nobody to his own machine, or into a private network in
        which he is not; elsewhere those are asked whom the offer names."""
        mallory, bob = self.person("mallory"), self.nameless("bob")
        self.add_suppliers(1)
        self.grid.run(60)
        inside, outside = Neighbour(), Neighbour()
        for host, neighbour in ((bob.address, inside), ("192.168.7.7", inside), ("203.0.113.7", outside)):
            self.grid.network.host(host).server(9999).listen(neighbour)
        self.offer_of(mallory, [f"tcp://{host}:9999" for host in ("127.0.0.1", "192.168.7.7", "203.0.113.7")])
        self.share(bob, self.reads)
        self.grid.pass_time(A_WHILE)
        self.assertEqual((inside.connected, set(outside.connected)), ([], {bob.address}))

    def offer_of(self, owner: GridNode, addresses: list[str]) -> None:
        """Somebody offers the folder at suppliers who are nobody, at these addresses."""
        me, now = owner.rooms.identity.me, int(owner.node.world.wall())
        suppliers = [bytes([number]) * 32 for number in range(1, len(addresses) + 1)]
        family = Family(me.fingerprint, 1, 1, len(suppliers), now, suppliers, addresses)
        grant = Capability(
            b"c" * 16, me.fingerprint, self.holder().public, (Right.READ, Right.LIST), 0, now + DAY, b"s" * 16, True
        )
        shown = ShownCapability.of(me.sign(Capability.KIND, grant.to_body())).to_bytes()
        signed = me.sign(Family.KIND, family.to_body()).to_bytes()
        secret = {1: (b"1" * 32,)}
        share = GivenShare(me.fingerprint, self.alias, me.global_id, "", now * 1000, secret, (shown,), signed)
        sealed = seal_to(self.holder().public, write_offer(share, now))
        self.did(owner.rooms.shares.borrowing.records.put(self.holder().public, sealed, now * 1000, DAY))

    def test_replayed_proofs(self) -> None:
        """A capability counts with a proof for the supplier and the device that asks, and for reading alone."""
        alice = self.kept()
        bob, mallory = self.person("bob"), self.person("mallory")
        (offer,) = self.offered(alice)
        first, second = self.suppliers
        good = self.shown(offer.sealed, first, bob)
        self.assertEqual(self.refusal(bob, offer.owner, good), "")
        (bare,) = self.share_in(offer.sealed).capabilities
        forged = proven(bare, DeviceKey(b"m" * 32), first.fingerprint, mallory.rooms.identity.me.device.public)
        for who, where, shown in (
            (mallory, first, good), (bob, second, good), (bob, first, bare), (mallory, first, forged),
        ):  # fmt: skip
            self.assertEqual(self.refusal(who, offer.owner, shown, where), "not-allowed")
        log = {"kind": "log", "head": b"x"}
        self.assertEqual(self.refusal(bob, offer.owner, good, first, Command.DATA, log), "not-allowed")
        order = Command.DELETE_FILE, {"kind": None}
        self.assertIn(self.refusal(bob, offer.owner, good, first, *order), ("not-allowed", "unknown-command"))

    def opened(self, sealed: bytes) -> bytes:
        return open_from(sealed, self.holder())

    def share_in(self, sealed: bytes) -> Any:
        """What an offer of Alice says."""
        owner = self.suppliers[0].rooms.around.identities.get(self.alice_is)
        return read_offer(self.opened(sealed), owner, self.holder().public, 0).share

    @property
    def alice_is(self) -> bytes:
        return next(node.fingerprint for node in self.grid.nodes if node.name == "alice")

    def shown(self, sealed: bytes, supplier: GridNode, asks: GridNode) -> bytes:
        """The capability of an offer, as somebody who has the secret shows it to a supplier."""
        (capability,) = self.share_in(sealed).capabilities
        return proven(capability, self.holder(), supplier.fingerprint, asks.rooms.identity.me.device.public)

    def refusal(
        self, who: GridNode, owner: bytes, shown: bytes, supplier: GridNode | None = None,
        command: Command = Command.RETRIEVE, fields: Any = None,
    ) -> str:  # fmt: skip
        """With which code a supplier refuses a question; empty where it answers."""
        to = (supplier or self.suppliers[0]).fingerprint
        self.grid.wait(who.rooms.gateway.session_to(to))
        terms = {"owner": owner, "capability": shown}
        sent = who.rooms.around.outbox.send(to, command, fields or {"kind": "heads"}, **terms)
        try:
            self.grid.wait(sent)
        except BitDustError as error:
            return error.code
        return ""


class UpkeepTests(SecretCase):
    def test_nothing_is_left(self) -> None:
        """What was read of a folder at suppliers of somebody else goes from the disk with the folder, be it that the
        process has died before."""
        self.lose(self.kept())
        bob = self.nameless("bob")
        self.share(bob, self.reads)
        self.comes(bob)
        catalogs = bob.home / "catalogs"
        self.assertTrue(any(catalogs.iterdir()))
        self.grid.wait(bob.rooms.folders.remove(self.reads.text))
        self.grid.until(lambda: not any(catalogs.iterdir()), 5, "that nothing is left")
        left = catalogs / f"{'ab' * 32}-{self.alias}.db"
        left.write_bytes(b"x")
        bob.crash()
        bob = bob.again("10.0.9.7")
        self.grid.until(lambda: bob.is_on("folder_sync"), LONG, "the next process")
        self.grid.until(lambda: not left.exists(), 5, "that nothing is left")

    def test_told_where_nobody_finds_it(self) -> None:
        """As long as no node of the table keeps the offer its owner is told so, with the folder at suppliers; the same
        is said by each way of asking."""
        alice = self.has_files()
        put, not_stored = alice.rooms.dht.node.put, BitDustError("not-stored", "no other node of the DHT has answered")
        nowhere = lambda kind, *rest: fail(not_stored) if kind == "offer" else put(kind, *rest)  # noqa: E731
        with mock.patch.object(alice.rooms.dht.node, "put", nowhere):
            self.keep(alice, self.secret)
            told = f"the secret alone does not bring it back: {not_stored}"
            self.grid.until(lambda: self.row(alice, self.secret).problem == told, 5, "that it is told")
            self.assertEqual(self.is_kept(alice, self.secret).problem, told)
            shown = self.call(alice, "folder_suppliers", folder=str(self.root(alice)))
            self.assertEqual(shown["problem"], told)
        self.grid.until(lambda: not self.row(alice, self.secret).problem, 130, "that it is there")
        self.assertEqual(len(self.offered(alice)), 1)

    def test_another_supplier(self) -> None:
        """When a supplier is replaced the offer names the new one, and the folder comes back from the new family."""
        alice = self.kept(4)
        self.add_suppliers(1)
        before = self.family_in(alice)
        gone = self.suppliers[0].fingerprint
        self.call(alice, "supplier_replace", position=before.suppliers.index(gone))
        self.grid.until(lambda: gone not in self.family_in(alice).holders, LONG, "that the offer names the new one")
        self.lose(alice)
        bob = self.nameless("bob")
        self.share(bob, self.reads)
        self.comes(bob)

    def family_in(self, node: GridNode) -> Any:
        (offer,) = self.offered(node)
        document = node.rooms.identity.me.document
        offered = read_offer(open_from(offer.sealed, self.holder()), document, self.holder().public, 0)
        return offered.share.owner_family()

    def test_renewed(self) -> None:
        """While the owner's node runs the capability is renewed before it ends, and stands there for another year."""
        alice = self.kept()
        (grant,) = self.grants(alice)
        ring = alice.rooms.identity.me.key_ring
        ring.grant(self.alias, evolve(grant, since=grant.since - 330 * DAY, ends=grant.ends - 330 * DAY))
        alice.rooms.shares.donations.refresh()
        (renewed,) = self.grants(alice)
        self.assertGreater(renewed.ends - grant.ends, -DAY)

    def test_in_another_life(self) -> None:
        """Who comes back by a key file of before knows whom the folder was opened to, and can withdraw that."""
        alice = self.has_files()
        key_file = self.key_file(alice)
        self.keep(alice, self.secret)
        self.grid.run(30)
        (grant,) = self.grants(alice)
        self.lose(alice)
        again = self.back(key_file)
        self.assertEqual([one.id for one in self.grants(again)], [grant.id])
        again.rooms.shares.shut_out(self.alias, self.holder().public)
        self.grid.until(lambda: not self.offered(again), LONG, "that nothing is offered")

    def grants(self, node: GridNode) -> Any:
        return node.rooms.shares.donations.grants(self.alias)

    def test_nothing_stronger(self) -> None:
        """Whoever is let in by the secret that reads learns no stronger one from the list at suppliers."""
        alice = self.kept()
        shelf = alice.rooms.folders.copies.shelf
        (name,) = (one for one in self.grid.wait(shelf.versions()) if one.endswith(".state"))
        data = self.grid.wait(shelf.read(name))
        ring = alice.rooms.identity.me.key_ring
        from bitdust.folders.backup.formats import read_head

        self.assertEqual(read_head(data, [secret for _, secret in ring.get(self.alias).named])[0].secret, "")
        self.assertEqual(read_head(data, shelf.secrets())[0].secret, self.secret.text)
