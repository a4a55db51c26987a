"""Whom I let into a folder's key: written into the hash table, told where that fails, and taken back as a whole."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.boxes import open_from
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyring import KeyRing, RingKey
from bitdust.crypt.shares import MAX_GRANTS, MAX_SHUT, Grant
from bitdust.identity.ring_file import read_ring
from bitdust.peers.again import SOON
from bitdust.peers.waking import WITHIN, Waking
from bitdust.shares.donations import DAY, LONGEST, LOOK_AGAIN, READER, RENEWED_BEFORE, Donations
from bitdust.shares.offer import read_offer
from bitdust.shares.room import Share, SharesRoom
from bitdust.signal import Signal
from bitdust.wire.capability import MOST_DAYS, Right
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import FOLDER_KEYS
from bitdust.wire.records import Family
from bitdust.wire.schema import U63
from tests.unit.storage_kit import Neighbours, Node

ALIAS = f"{FOLDER_KEYS}{'0' * 32}"
HOLDER = DeviceKey(b"h" * 32)


class Table:
    """The hash table, as far as offers are concerned."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.put_there: list[bytes] = []

    async def put(self, holder: bytes, sealed: bytes, time: int, seconds: int) -> None:
        if self.error is not None:
            raise self.error
        self.put_there.append(sealed)

    async def find(self, holder: bytes) -> Any:
        return []


class DonationsCase(SynchronousTestCase):
    def setUp(self) -> None:
        base = Path(self.mktemp())
        self.neighbours = Neighbours(base, 2)
        self.addCleanup(self.neighbours.close)
        self.node = Node(base / "home", self.neighbours)
        self.me, self.ring = self.node.me, self.node.me.key_ring
        family = Family(self.me.fingerprint, 1, 1, 2, 0, [b"x" * 32, None])
        signed = self.me.sign(Family.KIND, family.to_body())
        family_port = SimpleNamespace(current=family, signed=signed, changed=Signal())
        around = self.node.connected
        nobody = SimpleNamespace(get=lambda who: None, changed=Signal())
        sessions = SimpleNamespace(connected=lambda who: False, on_session=lambda listener: lambda: None, sessions=list)
        around = evolve(around, identities=nobody, sessions=sessions, events=Events())
        self.donations = Donations(around, family_port)  # type: ignore[arg-type]
        self.table = Table()
        self.donations.groups = SimpleNamespace(keepers=lambda alias: None)  # type: ignore[assignment]
        self.donations.records = self.table  # type: ignore[assignment]
        self.ring.add(RingKey(ALIAS))
        self.ring.ensure_secret(ALIAS, os.urandom, 1)
        self.addCleanup(self.donations.stop)

    def begin(self) -> None:
        self.donations.start()
        self.donations.let_in(ALIAS, HOLDER.public)

    def unfound(self) -> str:
        return self.donations.unfound(ALIAS, HOLDER.public)

    def passes(self, seconds: float) -> None:
        self.node.clock.advance(seconds)


class Events:
    def send(self, *event: Any) -> None:
        pass

    def subscribe(self, listener: Any, *names: str) -> Any:
        return lambda: None


class RefusedTests(DonationsCase):
    """What is refused leaves the ring as it is on the disk."""

    def setUp(self) -> None:
        super().setUp()
        self.ring.keys[ALIAS] = self.ring.get(ALIAS).all_retired()
        self.me.save_key_ring()

    def kept(self) -> KeyRing:
        return read_ring(self.node.home / "metadata" / "keyring", self.me.device, self.me.master)

    def refuse(self, **given: Any) -> None:
        rest = {"rights": READER, "quota": 0, "ends": None} | given
        self.assertRaises(BitDustError, self.donations.grant, ALIAS, HOLDER.public, *rest.values())
        self.assertEqual(self.ring.to_bytes(), self.kept().to_bytes())

    def test_a_grant_that_has_ended(self) -> None:
        """No secret is made for a grant with an end that cannot be: it would be in memory alone."""
        self.refuse(ends=1)

    def test_a_full_ring(self) -> None:
        """Neither a secret is made, nor what was given before taken back, where there is no room for the grant."""
        self.donations.let_in(ALIAS, HOLDER.public)
        self.ring.keys[ALIAS] = self.ring.get(ALIAS).all_retired()
        self.me.save_key_ring()
        real, self.calls = self.ring.grant, 0

        def grant(key_id: str, grant: Any) -> None:
            self.calls += 1
            if self.calls > 1:
                raise BitDustError("too-many-keys", "no room")
            real(key_id, grant)

        self.patch(KeyRing, "grant", lambda ring, *rest: grant(*rest))
        self.refuse(ends=int(self.node.world.wall()) + 1000)
        self.assertEqual(self.calls, 2)

    def test_a_grant_that_is_taken(self) -> None:
        """What is granted is on the disk, with a secret that seals."""
        self.donations.let_in(ALIAS, HOLDER.public)
        self.assertEqual(len(self.kept().get(ALIAS).usable), 1)
        self.assertEqual(self.ring.to_bytes(), self.kept().to_bytes())

    def test_no_room_for_devices(self) -> None:
        """Where devices of a writer find no room in the ring, what else is due goes on. They are tried again when the
        ring is another one, or there are others, and not at each look: a full ring would be encoded each time."""
        person = SimpleNamespace(devices=[SimpleNamespace(key=b"d" * 32)], idurl="", global_id="b")
        around = evolve(self.donations._around, identities=SimpleNamespace(get=lambda who: person, changed=Signal()))
        self.donations.start()
        self.donations.grant(ALIAS, HOLDER.public, (*READER, Right.LOG), 1000, None)
        running, self.donations._around = self.donations._running, around
        self.donations._running = {}
        full = mock.Mock(side_effect=BitDustError("too-many-keys", "no room"))
        with mock.patch.object(KeyRing, "grant", full):
            for _ in range(3):
                self.donations.refresh()
            self.assertEqual((len(full.mock_calls), len(self.donations.of(ALIAS))), (1, 1))
            person.devices.append(SimpleNamespace(key=b"e" * 32))
            self.donations.refresh()
            self.assertEqual(len(full.mock_calls), 2)
            del person.devices[1]
            self.ring.add(RingKey("share_more"))
            self.donations.refresh()
            self.assertEqual(len(full.mock_calls), 3)
        self.donations._running |= running
        self.donations.refresh()
        self.assertEqual(self.kept().get(ALIAS).grants[0].devices, set())
        self.ring.erase("share_more")
        self.donations.refresh()
        self.assertEqual(self.kept().get(ALIAS).grants[0].devices, {b"d" * 32})


class PublishedTests(DonationsCase):
    def test_told_where_it_is_not_there(self) -> None:
        """Why an offer is not in the table is told until it is there; so is that nobody writes it."""
        self.donations.let_in(ALIAS, HOLDER.public)
        self.assertIn("service_key_exchange", self.unfound())
        self.table.error = BitDustError("not-stored", "no other node of the DHT has answered")
        self.donations.start()
        self.assertEqual(self.unfound(), "no other node of the DHT has answered")
        self.passes(30)
        self.assertEqual(self.unfound(), "no other node of the DHT has answered")
        self.table.error = None
        self.passes(31)
        self.assertEqual((self.unfound(), len(self.table.put_there)), ("", 1))
        self.assertEqual(self.donations.unfound(ALIAS, b"o" * 32), "")

    def test_on_its_way(self) -> None:
        """While the first writing of an offer goes on nobody knows yet whether it is found."""
        putting: Deferred[None] = Deferred()

        async def put(*_: object) -> None:
            await putting

        self.patch(self.table, "put", put)
        self.begin()
        (donation,) = self.donations.of(ALIAS)
        self.assertTrue(donation.is_on_its_way)
        putting.callback(None)
        self.assertFalse(donation.is_on_its_way)

    def test_written_again(self) -> None:
        """An offer is written again each day, and at once with a new document of its owner, whose former device said
        perhaps what was there."""
        self.begin()
        self.assertEqual(len(self.table.put_there), 1)
        self.me.replace_document(self.me.revise())
        self.assertEqual(len(self.table.put_there), 2)
        self.passes(1)
        self.donations.refresh()
        self.assertEqual(len(self.table.put_there), 2)
        self.passes(DAY)
        self.assertEqual(len(self.table.put_there), 3)

    def test_by_proof(self) -> None:
        """What is offered is held by proof."""
        self.begin()
        offer = open_from(self.table.put_there[0], HOLDER)
        share = read_offer(offer, self.me.document, HOLDER.public, self.node.world.wall()).share
        self.assertEqual([grant.by_proof for grant in share.grants], [True])

    def test_off_and_on(self) -> None:
        """However often a folder is switched off and on, its secret lets in afterwards, and the ring stays small."""
        self.donations.start()
        size = 0
        for number in range(MAX_GRANTS + 50):
            self.donations.let_in(ALIAS, HOLDER.public)
            self.assertEqual(len(self.donations.grants(ALIAS)), 1)
            self.donations.take_back(ALIAS, HOLDER.public)
            self.assertEqual(self.donations.grants(ALIAS), [])
            if number == MAX_SHUT:
                size = len(self.ring.to_bytes())
        self.donations.let_in(ALIAS, HOLDER.public)
        self.assertLess(len(self.ring.to_bytes()), size + 1000)
        (grant,) = self.donations.grants(ALIAS)
        ends = grant.ends - RENEWED_BEFORE + 1
        self.node.ahead = ends - self.node.world.wall()
        self.donations.refresh()
        (renewed,) = self.donations.grants(ALIAS)
        self.assertEqual((renewed.id, renewed.ends), (grant.id, ends + LONGEST))

    def test_grants_of_times_to_come(self) -> None:
        """What a thief has dated so that it is the last for good keeps no new grant out."""
        self.donations.start()
        for number in range(MAX_SHUT + 5):
            self.ring.grant(ALIAS, self.grant(number, since=U63 - 100 + number, revoked=True))
        self.donations.let_in(ALIAS, HOLDER.public)
        self.assertEqual(len(self.donations.grants(ALIAS)), 1)

    def grant(self, number: int, since: int = 1, revoked: bool = False) -> Grant:
        return Grant(bytes([number]) * 16, HOLDER.public, READER, 0, since, 2**40, revoked)

    def test_two_devices_let_in(self) -> None:
        """What two devices have given to one holder is taken back as a whole."""
        self.donations.start()
        for number in (1, 2):
            self.ring.grant(ALIAS, self.grant(number))
        self.assertEqual(len(self.donations.grants(ALIAS)), 2)
        self.donations.take_back(ALIAS, HOLDER.public)
        self.assertEqual(self.donations.grants(ALIAS), [])

    def test_given_once_more(self) -> None:
        """It is reported by name what the person gives at this node, also where another device had given it before."""
        self.donations.start()
        given: list[tuple[str, bytes]] = []
        self.donations.granted.connect(lambda *named: given.append(named))
        ends = int(self.node.world.wall()) + DAY
        self.ring.grant(ALIAS, Grant(b"1" * 16, HOLDER.public, READER, 0, 1, ends))
        self.donations.grant(ALIAS, HOLDER.public, READER, 0, None)
        self.assertEqual(given, [(ALIAS, b"1" * 16)])

    def test_a_key_whose_secrets_are_all_retired(self) -> None:
        """Who is let in gets another secret, which no revoked device knows; without suppliers none is made."""
        self.donations.start()
        family, self.donations._family = self.donations._family, SimpleNamespace(current=None, signed=None)
        self.ring.keys[ALIAS] = self.ring.get(ALIAS).all_retired()
        with self.assertRaises(BitDustError):
            self.donations.grant(ALIAS, HOLDER.public, READER, 0, None)
        self.assertEqual(self.ring.get(ALIAS).usable, [])
        self.donations._family = family
        self.donations.grant(ALIAS, HOLDER.public, READER, 0, None)
        wall = self.node.world.wall()
        share = read_offer(open_from(self.table.put_there[-1], HOLDER), self.me.document, HOLDER.public, wall).share
        self.assertEqual(len(share.secrets), 2)
        self.assertEqual([share.current], [name for name, _ in self.ring.get(ALIAS).usable])

    def test_less_than_two_devices_gave(self) -> None:
        """Whoever may do less now keeps nothing of what another device has given."""
        self.donations.start()
        self.ring.add(RingKey("share_1"))
        self.ring.ensure_secret("share_1", os.urandom, 1)
        for number, quota in ((1, 10), (2, 20)):
            self.ring.grant("share_1", evolve(self.grant(number), quota=quota))
        self.donations.grant("share_1", HOLDER.public, READER, 10, None)
        self.assertEqual([one.quota for one in self.donations.grants("share_1")], [10])

    def test_granted_while_the_clock_was_ahead(self) -> None:
        """What was granted while the clock was ahead is brought again when it is right, with an end that is taken."""
        self.node.ahead = 40 * DAY
        self.begin()
        self.node.ahead = 0
        self.passes(LOOK_AGAIN + 1)
        self.assertEqual(len(self.table.put_there), 2)
        wall = self.node.world.wall()
        share = read_offer(open_from(self.table.put_there[-1], HOLDER), self.me.document, HOLDER.public, wall).share
        self.assertLessEqual(max(grant.ends for grant in share.grants), wall + MOST_DAYS * DAY)


WRITER = (*READER, Right.WRITE, Right.LOG)


class ShareTests(DonationsCase):
    """A share, and the sessions of two devices of its holder."""

    def setUp(self) -> None:
        super().setUp()
        self.ring.add(RingKey("share_1"))
        self.ring.ensure_secret("share_1", os.urandom, 1)
        peers = [SimpleNamespace(fingerprint=HOLDER.public, device=bytes([n]) * 8) for n in (1, 2)]
        sessions = [SimpleNamespace(peer=peer) for peer in peers]
        around = self.donations._around
        around.sessions.session_to = lambda who: succeed(sessions[0])  # type: ignore[method-assign, attr-defined]
        around.sessions.sessions = lambda: sessions  # type: ignore[method-assign]
        outbox = SimpleNamespace(send=self.send)
        self.donations._around = evolve(around, outbox=outbox)  # type: ignore[arg-type]
        self.sent: list[int] = []
        self.problem = ""
        self.donations.start()

    def send(self, to: bytes, *packet: Any, deadline: float, session: Any) -> Any:
        device = session.peer.device[0]
        self.sent.append(device)
        if device == 2 and self.problem:
            return fail(BitDustError(self.problem, "the second device says no"))
        return succeed(SimpleNamespace(fields={}))

    def give(self, rights: tuple[Right, ...] = READER, quota: int = 0, ends: int | None = None) -> Grant:
        self.donations.grant("share_1", HOLDER.public, rights, quota, ends)
        (grant,) = self.donations.grants("share_1")
        return grant

    def test_one_device_was_busy(self) -> None:
        """A device that did not take it, when another one did, is asked again soon, and ever more rarely while it
        stays."""
        self.problem = "busy"
        self.give()
        self.assertEqual(self.sent, [1, 2])
        self.passes(SOON + 1)
        self.assertEqual(self.sent, [1, 2, 2])
        for _ in range(60):
            self.passes(60)
        self.assertLess(len(self.sent), 25)
        self.problem = ""
        self.passes(LOOK_AGAIN + 1)
        before = len(self.sent)
        self.passes(LOOK_AGAIN + 1)
        self.assertEqual(len(self.sent), before)

    def away(self, count: int) -> list[bytes]:
        """So many people who are let in and are away; whom this node has called is noted."""
        here, called = self.donations._around.sessions.session_to, list[bytes]()

        def session_to(who: bytes) -> Any:
            called.append(who)
            return here(who) if who == HOLDER.public else fail(BitDustError("no-answer", "away"))

        self.donations._around.sessions.session_to = session_to  # type: ignore[method-assign]
        for number in range(count):
            self.donations.grant("share_1", bytes([200, number]) * 16, READER, 0, None)
        return called

    def test_others_are_away(self) -> None:
        """A device that does not take a key lets nobody else be called before the pauses for them are over, and is
        asked again soon itself when it comes."""
        self.problem = "busy"
        self.give()
        called = self.away(20)
        called.clear()
        for _ in range(95):
            self.passes(6)
        self.assertLessEqual(len(called) - called.count(HOLDER.public), 6 * 20)
        for _ in range(600):
            self.passes(6)
        self.donations._session(self.second_device(), True)
        called.clear()
        for _ in range(95):
            self.passes(6)
        self.assertLessEqual(len(called) - called.count(HOLDER.public), 2 * 20)
        self.assertGreater(called.count(HOLDER.public), 4)

    def test_many_are_away(self) -> None:
        """A hundred who are away for long are called each within ten minutes, and never many in one moment; when the
        network is back each is within ten seconds."""
        called = self.away(100)
        for _ in range(120):
            self.passes(60)
        called.clear()
        counts = []
        for _ in range(620):
            self.passes(1)
            counts.append(len(called) - sum(counts))
        self.assertEqual(len(set(called)), 100)
        self.assertLess(max(counts), 30)
        called.clear()
        waking = Waking(self.donations._around.world)
        new = SimpleNamespace(begin_anew=lambda: False)
        room: Any = SimpleNamespace(_waking=waking, _opened={}, donations=self.donations, new_writers=new)
        SharesRoom.network_is_back(room)
        self.assertEqual(called, [])
        self.passes(WITHIN / 10)
        self.assertLess(len(called), 40)
        self.passes(WITHIN)
        self.assertEqual(len(set(called)), 100)

    def test_one_comes_again_and_again(self) -> None:
        """However often a device comes that takes no key, it alone is asked."""
        self.problem = "busy"
        self.give()
        called = self.away(20)
        self.passes(LOOK_AGAIN + 1)
        called.clear()
        for _ in range(100):
            self.donations._session(self.second_device(), True)
            self.passes(0.1)
        self.assertLessEqual(called.count(HOLDER.public), 102)
        self.assertLessEqual(len(called) - called.count(HOLDER.public), 40)

    def second_device(self) -> Any:
        return SimpleNamespace(peer=SimpleNamespace(fingerprint=HOLDER.public, device=bytes([2]) * 8))

    def test_somebody_is_known_newer(self) -> None:
        """A newer document of one who was let in calls nobody who is away, and disturbs no delivery."""
        self.give()
        called = self.away(20)
        called.clear()
        for _ in range(50):
            self.donations._known(HOLDER.public)
        self.assertEqual(called, [])

    def test_one_device_refuses(self) -> None:
        """Where one device refuses what another one has taken, its person is not said to refuse it."""
        self.problem = "not-allowed"
        self.give()
        self.passes(LOOK_AGAIN + 1)
        (donation,) = self.donations.of("share_1")
        self.assertEqual(self.sent[:3], [1, 2, 2])
        self.assertNotEqual(donation.machine.state, "REFUSED")

    def test_more_after_the_clock_was_ahead(self) -> None:
        """Who is given more has it, though the clock was ahead when the first grant was made, with or without an end;
        one without goes on a year later."""
        for ends in (None, int(self.node.world.wall()) + 30 * DAY):
            self.node.ahead = 300
            first = self.give(READER, 0, ends)
            self.node.ahead = 0
            grant = self.give(WRITER, 10**9, ends)
            self.assertEqual((grant.rights, grant.quota), (WRITER, 10**9))
            if ends is None:
                self.assertEqual(grant.id, first.id)
                self.assertGreaterEqual(grant.ends - grant.since, LONGEST)

    def test_of_times_to_come(self) -> None:
        """A grant dated a day ahead, and the last second there is, give way to a new one."""
        now = int(self.node.world.wall())
        for number, since in enumerate((now + DAY, U63)):
            self.ring.grant("share_1", Grant(bytes([number]) * 16, HOLDER.public, READER, 0, since, now + LONGEST))
            grant = self.give(WRITER, 10**9)
            self.assertEqual((grant.rights, grant.since), (WRITER, now))
            self.donations.take_back("share_1", HOLDER.public)


class TwoGrantsTests(DonationsCase):
    """Two devices have let in one holder before they heard of each other."""

    def setUp(self) -> None:
        super().setUp()
        self.ring.add(RingKey("share_1"))
        self.ring.ensure_secret("share_1", os.urandom, 1)
        self.donations.start()
        since = int(self.node.world.wall()) - 100
        for number in (1, 2):
            self.ring.grant("share_1", Grant(bytes([number]) * 16, HOLDER.public, READER, 0, since, since + 300 * DAY))

    def grants(self) -> list[Grant]:
        return self.donations.grants("share_1")

    def test_changed(self) -> None:
        """What is changed is what is brought and told, and no other grant is left."""
        self.donations.refresh()
        self.donations.grant("share_1", HOLDER.public, WRITER, 10**9, None)
        (grant,) = self.grants()
        (donation,) = self.donations.of("share_1")
        self.assertEqual((grant.rights, donation.ident), (WRITER, grant.id))
        self.assertEqual(self.donations.grant_of("share_1", HOLDER.public), grant)

    def test_which_counts(self) -> None:
        """The grant that is told is the one that is brought, and its holder is one member."""
        self.donations.refresh()
        told = self.donations.grant_of("share_1", HOLDER.public)
        (donation,) = self.donations.of("share_1")
        self.assertEqual(told and told.id, donation.ident)
        self.assertEqual(self.donations.members("share_1"), [self.me.fingerprint, HOLDER.public])

    def test_forgotten(self) -> None:
        """A share is forgotten, and its key erased, though one holder has two grants."""
        room = SharesRoom(self.node.connected, *[SimpleNamespace(current=None)] * 4)  # type: ignore[arg-type]
        room.donations = self.donations
        share = Share("share_1$a@b", self.ring.get("share_1"), None, None)
        self.successResultOf(Deferred.fromCoroutine(room.forget(share)))
        self.assertTrue(self.ring.keys["share_1"].erased)

    def test_one_is_revoked(self) -> None:
        """Where one of two grants is revoked the other one counts on, under a new secret."""
        before = self.ring.current("share_1")
        first, second = self.grants()
        self.donations.revoke("share_1", [second])
        self.assertEqual(self.grants(), [first])
        self.assertNotEqual(self.ring.current("share_1"), before)
