"""One member of a family lies to the spare that is to stand in for another one; the others are honest."""

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt import spare_votes
from bitdust.crypt.device import check_record
from bitdust.crypt.spare_votes import OF_PLACE, few
from bitdust.customers.healing.book import MOST, CaseFile, Sighting
from bitdust.customers.healing.rows import DOSSIER, OFFER, SERVICE
from bitdust.wire.encoding import encode
from bitdust.wire.healing import SpareCertificate, SpareClaim
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from tests.unit.healing_kit import AFTER, Council, House, Village
from tests.unit.kit import Reply
from tests.unit.supplier_kit import DAY, MIB, START, FakeDevice, Person, log_of
from tests.unit.test_healing import VillageCase


class HealingCase(VillageCase):
    def heal(self, village: Village) -> House:
        """The spare, long after member 0 has gone."""
        village.member(0).is_up = False
        village.pass_time(AFTER + 3 * DAY)
        (spare,) = [one for one in self.spares(village) if one.healing.stand_ins.states()]
        return spare

    def need_whole(self, spare: House, village: Village) -> None:
        """The spare has every piece of its place."""
        self.assertEqual(self.pieces_of(spare, village), {(pack, 0) for pack in village.packs})


class LyingListTests(HealingCase):
    def test_a_member_that_lists_what_others_have(self) -> None:
        """Who says that it has all pieces of all packs, and gives none, does not hide those who have them."""

        def lie(fields: dict, reply: Reply) -> Reply:
            if "after" in fields:
                rows = [[pack, number, 10] for pack in sorted(village.packs) for number in range(4)]
                return evolve(reply, payload=encode(rows))
            return evolve(reply, payload=b"") if fields.get("kind") == "piece" else reply

        village = self.settle()
        village.member(1).lie = lie
        self.need_whole(self.heal(village), village)

    def test_a_list_that_creeps(self) -> None:
        """A page that says the same again and again, or all pieces of packs that nobody else has, is no page."""
        for numbers in ([1], list(range(64))):
            asked: list[bytes] = []

            def lie(
                fields: dict, reply: Reply, numbers: list[int] = numbers, asked: list[bytes] = asked
            ) -> Reply:
                if "after" not in fields or len(asked) > 20:
                    return reply
                asked.append(fields["after"])
                start, rows = int.from_bytes(fields["after"] or bytes(16), "big"), []
                while len(rows) < fields["most"]:
                    start += len(numbers) > 1 or not rows
                    rows += [[start.to_bytes(16, "big"), number, 10] for number in numbers]
                return evolve(reply, fields={"more": True}, payload=encode(rows))

            village = self.settle()
            village.member(1).lie = lie
            self.need_whole(self.heal(village), village)
            self.assertLess(len(asked), 5)


class LyingLogTests(HealingCase):
    def test_a_head_whose_entries_nobody_gives(self) -> None:
        """The log is taken as far as anybody gives it: one that has a newer head and no entries stops nothing."""

        def lie(fields: dict, reply: Reply) -> Reply:
            if fields.get("kind") == "heads":
                newer = Head(owner=owner.fingerprint, device=owner.device.id, sequence=2**40, hash=bytes(32), time=1)
                return evolve(reply, payload=encode([owner.sign(newer).to_bytes()]))
            return reply

        village = self.settle()
        owner, member = village.owner, village.member(2)
        village.member(1).lie = lie
        spare = self.heal(village)
        self.need_whole(spare, village)
        self.assertEqual(
            log_of(spare.store, owner.fingerprint, owner.device.id),
            log_of(member.store, owner.fingerprint, owner.device.id),
        )


class MemoryTests(HealingCase):
    def test_pieces_that_do_not_exist(self) -> None:
        """A spare that asks for names without end makes a member remember none of them."""
        village, spare = self.healed()
        asked, owner = village.member(1), village.owner.fingerprint
        under = {"owner": owner, "capability": SpareClaim(owner, 0).to_bytes()}
        before = self.counted(asked)
        for number in range(50):
            fields = {"kind": "piece", "pack": number.to_bytes(16, "big"), "index": 1, "offset": 0, "length": 0}
            ended = asked.handle(spare.person, Command.RETRIEVE, fields, b"", **under)
            self.assertEqual(self.failureResultOf(ended).value.code, "not-found")
        self.assertEqual(self.counted(asked), before)

    def test_dossiers_without_end(self) -> None:
        """Anybody may bring a dossier, and nobody without end; others are heard all the same."""
        village, spare = self.healed()
        customer, stranger = village.owner.fingerprint, Person("stranger")
        fields = {"kind": "spare-certificate", "customer": customer}
        dossier = village.member(1).councils.dossier(customer).to_bytes()
        asked, codes = village.member(3), []
        for _ in range(30):
            asked.handle(stranger, Command.EVENT, fields, dossier).addErrback(lambda why: codes.append(why.value.code))
        self.assertEqual(codes, ["busy"] * 10)
        self.successResultOf(asked.handle(spare.person, Command.EVENT, fields, dossier))
        asked.clock.advance(61)
        self.successResultOf(asked.handle(stranger, Command.EVENT, fields, dossier))

    def test_votes_without_end(self) -> None:
        """Of a dossier with thousands of votes, each of which somebody has signed, a few are judged, each signature is
        looked at once, in a thread, and the sender waits for it longer than it took."""
        village, spare = self.healed()
        town = Council(n=64, spares=16, most=16)
        looked: list[int] = []
        self.patch(spare_votes, "check_record", lambda signed, public: looked.append(1) or check_record(signed, public))
        bad = {"signer": town.members[1]}
        some = [
            SpareCertificate.of([*(town.vote(seat, place, place, time=START + number) for seat in range(20, 53)),
                                 town.vote(53, place, place, time=START + number, **bad)])
            for place in range(4) for number in range(12)
        ]  # fmt: skip
        good = [town.majority(place, place) for place in range(10, 16)]
        bench = town.bench().with_all([*some, *good])
        self.assertEqual({one.terms.place for one in bench.certificates}, set(range(10, 16)))
        self.assertLessEqual(len(looked), (4 * OF_PLACE + len(good)) * 34)
        self.assertEqual(len(few([*some, *good])), 4 * OF_PLACE + len(good))
        rows = [row for row in village.member(3).table.values() if row.max_payload and row.service == SERVICE]
        self.assertEqual({row.cost + row.cost_kib * row.max_payload / 1024 > 2000 for row in rows}, {True})
        asked, waiting = village.member(3), Deferred()
        asked.run_in_thread = lambda call, *arguments: waiting.addCallback(lambda _: call(*arguments))
        dossier = village.member(1).councils.dossier(village.owner.fingerprint).to_bytes()
        fields = {"kind": "spare-certificate", "customer": village.owner.fingerprint}
        self.assertNoResult(asked.handle(spare.person, Command.EVENT, fields, dossier))

    def test_questions_for_room(self) -> None:
        """Each makes this node look at all families that it knows, and counts as much as a dossier."""
        village, _ = self.healed()
        asked = village.member(3)
        looked, look = [], asked.councils.place_of_spare
        asked.councils.place_of_spare = lambda customer: (looked.append(customer), look(customer))[1]
        fields = {"kind": OFFER, "customer": b"c" * 32, "room": 1}
        asked.handle(Person("stranger"), Command.EVENT, fields, b"").addErrback(lambda failure: None)
        self.assertEqual(len(looked), len(asked.store.customers()))
        self.assertEqual(asked.table[Command.EVENT, OFFER].cost, DOSSIER)

    def test_documents_that_nobody_needs(self) -> None:
        """People whom a family of nobody names are not kept: it has to be one of a customer, or of who becomes one."""
        village, _ = self.healed()
        asked, kept = village.member(3), []
        asked.identities.keep = kept.append
        customer = village.owner.fingerprint
        dossier = village.member(1).councils.dossier(customer)
        asked.councils._identities.keep = kept.append
        fields = {"kind": "spare-certificate", "customer": b"x" * 32}
        asking = asked.handle(Person("stranger"), Command.EVENT, fields, dossier.to_bytes())
        self.assertEqual(self.failureResultOf(asking).value.code, "bad-field")
        self.assertEqual(kept, [])
        self.successResultOf(asked.handle(Person("other"), Command.EVENT, fields | {"customer": customer},
                                          dossier.to_bytes()))  # fmt: skip
        self.assertEqual(len(kept), len(dossier.identities))

    def counted(self, house: House) -> int:
        """Names that a member remembers of spares that read."""
        return sum(len(reads) for _, reads in house.healing.claims._reads.values())


class ThiefTests(HealingCase):
    def test_the_family_of_a_stolen_device(self) -> None:
        """It ends when the device is revoked, though its owner has written no other family since."""
        village, thief = self.settle(), Person("thief")
        owner, asked = village.owner, village.member(1)
        owner.document.devices[thief.device.id] = FakeDevice(thief.device.public)
        mandate = evolve(village.council.family.mandate, spares=[Person("friend").fingerprint])
        own = evolve(village.council.family, revision=6, mandate=mandate)
        record = thief.sign(own).to_bytes()
        self.assertIsNone(asked.ask(owner, Command.CONTACTS, "family", record, space="family").code)
        self.assertEqual(asked.councils.family(owner.fingerprint), own)
        owner.document.devices[thief.device.id] = FakeDevice(thief.device.public, revoked=1)
        self.assertEqual(asked.councils.family(owner.fingerprint), village.council.family)
        self.assertEqual(asked.councils.dossier(owner.fingerprint).family, village.council.signed_family())


class FamilyOfNobodyTests(HealingCase):
    def test_its_places(self) -> None:
        """Whoever is customer, members and voters in one has half of what a node donates by that, and no other half."""
        village = self.settle()
        spare, donated = village.spare(0), 100 * MIB
        spare.settings.values["services/supplier/donated-space"] = donated
        offer = {"kind": "spare-offer", "customer": Person("nobody").fingerprint, "room": 51 * MIB}
        self.refused("no-space", spare, Person("nobody"), Command.EVENT, offer)
        self.successResultOf(spare.handle(Person("nobody"), Command.EVENT, offer | {"room": 50 * MIB}, b""))
        village.member(0).is_up = False
        village.pass_time(AFTER + 3 * DAY)
        (stands_in,) = [one for one in self.spares(village) if one.healing.stand_ins.states()]
        stands_in.settings.values["services/supplier/donated-space"] = donated
        taken = sum(one.allotted for one in stands_in.store.customers())
        self.assertGreater(taken, 0)
        self.refused("no-space", stands_in, Person("nobody"), Command.EVENT, offer | {"room": 50 * MIB - taken + 1})


class CaseFileTests(SynchronousTestCase):
    def test_a_family_that_changed_often(self) -> None:
        """Who writes many families does not make a member forget its votes: its file can be read again."""
        file = CaseFile(seen={number.to_bytes(32, "big"): Sighting(number) for number in range(MOST + 50)})
        read = CaseFile.from_bytes(file.to_bytes())
        self.assertEqual(len(read.seen), MOST)
        self.assertIn((MOST + 49).to_bytes(32, "big"), read.seen)
