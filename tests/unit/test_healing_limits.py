"""What healing takes of a node is bounded: work that is given up, what is remembered, and what is written when."""

from pathlib import Path

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.spare_votes import spares_in_order
from bitdust.customers.healing.book import MOST_ENDED, HealingBook, Sighting, WriteFile
from bitdust.customers.healing.reading import MemberReader
from bitdust.customers.keepsakes import IDENTITY
from bitdust.outcome import outcomes
from bitdust.scopes.plan import READS_OF_A_STRANGER
from bitdust.wire.errors import BitDustError
from bitdust.wire.healing import SpareClaim, Terms
from bitdust.wire.packet import Command
from tests.unit.healing_kit import AFTER, House, Village
from tests.unit.kit import Reply
from tests.unit.supplier_kit import DAY, MIB, Person, now
from tests.unit.test_healing import VillageCase


class OutcomesTests(SynchronousTestCase):
    """Waiting for many at once."""

    def test_ends_in_their_order(self) -> None:
        """Values and errors come in the order of what was waited for, whichever ended first."""
        first, second = Deferred(), Deferred()
        waiting = outcomes([first, second])
        second.errback(ValueError("no"))
        self.assertNoResult(waiting)
        first.callback(1)
        ends = self.successResultOf(waiting)
        self.assertEqual([(one.value, type(one.error)) for one in ends], [(1, type(None)), (None, ValueError)])

    def test_nobody_goes_on_after_a_cancel(self) -> None:
        """Work within work that is cancelled ends, and does not count as some other error."""
        asked: list[Deferred] = []

        async def ask() -> None:
            for _ in range(3):
                asked.append(Deferred())
                await outcomes([asked[-1]])

        async def work() -> None:
            while True:
                await outcomes([Deferred.fromCoroutine(ask()), Deferred.fromCoroutine(ask())])

        working = Deferred.fromCoroutine(work())
        working.cancel()
        self.assertEqual(len(asked), 2)
        self.assertEqual(type(self.failureResultOf(working).value).__name__, "CancelledError")


class OwnerSeenTests(VillageCase):
    """When the owner was there is known after a restart, and costs no file for each time that it comes and goes."""

    def killed(self, house: House) -> None:
        """The process ends without a word, and begins again."""
        house.healing.stop()
        house.crash()
        house.living()
        house.open()
        house.healing.start()

    def test_coming_and_going_writes_no_files(self) -> None:
        """An owner whose session breaks again and again costs one write of its contract in an hour."""
        village = self.settle()
        mine, customer = village.member(1), village.owner.fingerprint
        written: list = []
        self.patch(HealingBook, "save", lambda book, customer: written.append(customer) or Deferred())
        mine.now += 2 * 3600
        before = mine.store.contract_of(customer).contract.since
        for number in range(50):
            mine.presence.changed.emit(customer, bool(number % 2))
            mine.now += 60
        self.assertEqual(written, [])
        self.assertGreater(mine.store.contract_of(customer).contract.since, before)
        self.assertLess(mine.councils.owner_away(customer), 120)

    def test_a_restart_makes_nobody_absent_or_present(self) -> None:
        """Whoever was there for days was so until an hour before the kill at most; whoever was away still is."""
        village = self.settle()
        mine, customer = village.member(1), village.owner.fingerprint
        mine.presence.online = True
        for _ in range(12):
            mine.now += 6 * 3600
            mine.clock.advance(12 * 3600)
        self.killed(mine)
        self.assertLessEqual(mine.councils.owner_away(customer), 6 * 3600)
        mine.now += 5 * DAY
        self.killed(mine)
        self.assertGreaterEqual(mine.councils.owner_away(customer), 5 * DAY)

    def test_a_contract_that_is_not_renewed(self) -> None:
        """A supplier that gives up renews no term; it still remembers when the owner was there."""
        village = self.settle()
        mine, customer = village.member(1), village.owner.fingerprint
        now(mine.store.retire())
        mine.now += 5 * DAY
        mine.presence.changed.emit(customer, True)
        self.killed(mine)
        self.assertEqual(mine.councils.owner_away(customer), 0)

    def test_a_vote_is_on_the_disk_first(self) -> None:
        """Where the disk takes no vote none is given."""
        village = self.settle()
        mine, customer = village.member(1), village.owner.fingerprint
        gone, spare = village.member(0).fingerprint, village.spare(0).fingerprint
        mine.now += 2 * AFTER
        mine.councils.book.of(customer).seen[gone] = Sighting(0, AFTER)
        writing: Deferred = Deferred()
        self.patch(HealingBook, "save", lambda book, customer: writing)
        bench = mine.councils.need_bench(customer)
        voting = Deferred.fromCoroutine(mine.councils.vote(bench, Terms(customer, 5, 0, gone, spare)))
        self.assertNoResult(voting)
        writing.errback(BitDustError("no-space", "the disk is full"))
        self.assertEqual(self.failureResultOf(voting).value.code, "no-space")


class ForgottenTests(VillageCase):
    """What ends with a contract."""

    def end(self, village: Village, house: House) -> None:
        customer = village.owner.fingerprint
        contract = house.store.contract_of(customer).contract.contract
        freed = house.store.end(customer, contract)
        now(freed)
        house.healing.forget(customer)

    def test_nothing_is_remembered_of_who_left(self) -> None:
        """What was seen, judged, read and given under a certificate ends with the contract."""
        village, spare = self.healed()
        mine = village.member(1)
        self.assertTrue(mine.healing.claims._reads and mine.councils._looked and mine.councils._judged)
        self.end(village, mine)
        kept = (mine.healing.claims._reads, mine.councils._looked, mine.councils._judged, mine.councils._read)
        self.assertEqual([len(one) for one in kept], [0] * 4)
        self.assertEqual(list((mine.world.home / "metadata" / "healing").iterdir()), [])

    def test_reads_of_former_spares_go(self) -> None:
        """What a spare has read is counted for a day, and then forgotten when another one reads."""
        village, spare = self.healed()
        reads = village.member(1).healing.claims._reads
        (key,) = reads
        reads[b"customer", b"other"] = (village.member(1).clock.seconds(), reads[key][1])
        reads[key] = (0.0, reads[key][1])
        pack = next(iter(village.packs))
        fields = {"kind": "piece", "pack": pack, "index": 1, "offset": 0, "length": 0}
        owner = village.owner.fingerprint
        under = {"owner": owner, "capability": SpareClaim(owner, 0).to_bytes()}
        now(village.member(1).handle(spare.person, Command.RETRIEVE, fields, b"", **under))
        self.assertEqual(list(village.member(1).healing.claims._reads), [key])

    def test_who_has_no_place_any_more(self) -> None:
        """A family that changes again and again does not let grow what is known of its members."""
        village = self.settle()
        mine, customer = village.member(1), village.owner.fingerprint
        for number in range(5):
            mine.councils.note_there(customer, bytes([number]) * 32)
        mine.healing.refresh(customer)
        self.assertLessEqual(len(mine.councils.book.of(customer).seen), 4)

    def test_an_old_dossier_hires_nobody_again(self) -> None:
        """A spare that the owner let go is no spare by the same votes, after a restart neither; by newer ones it is."""
        village, spare = self.healed()
        customer, member = village.owner.fingerprint, village.council.members[1]
        fields = {"kind": "spare-certificate", "customer": customer}
        old = village.member(1).councils.dossier(customer)
        self.end(village, spare)
        for _ in range(2):
            ended = spare.handle(member, Command.EVENT, fields, old.to_bytes())
            self.assertEqual(self.failureResultOf(ended).value.code, "stale")
            self.assertIsNone(spare.store.contract_of(customer))
            spare.healing.stop()
            spare.living()
            spare.healing.start()
        at = int(spare.now) + 7200
        spare.now = at + 1
        number = [one.fingerprint for one in village.council.spares].index(spare.fingerprint)
        newer = village.council.certificate(1, 2, 3, spare=number, time=at, ends=at + AFTER)
        dossier = evolve(old, certificates=[newer.to_bytes()])
        self.successResultOf(spare.handle(member, Command.EVENT, fields, dossier.to_bytes()))
        self.assertIsNotNone(spare.store.contract_of(customer))

    def test_a_spare_keeps_who_the_owner_is(self) -> None:
        """It can check what the owner signed however long the DHT has known nothing of it."""
        village, spare = self.healed()
        kept = spare.store.keepsake(IDENTITY, village.owner.fingerprint)
        self.assertEqual(kept.data, village.owner.document.xml)


class SpareGoneTests(VillageCase):
    """A spare that dies, or does nothing, is replaced long before its certificate is over."""

    def other(self, village: Village, spare: House) -> House:
        return next(one for one in self.spares(village) if one is not spare)

    def test_a_spare_that_dies(self) -> None:
        """Half of the mandate's time after it was seen last the next one has the place, and everything of it."""
        village, spare = self.healed()
        village.pass_time(2 * DAY)
        spare.is_up = False
        village.pass_time(AFTER / 2 + DAY)
        other = self.other(village, spare)
        for asked in (1, 2, 3):
            self.assertEqual(self.standing(village, asked), {0: other.fingerprint})
        village.pass_time(DAY)
        self.assertEqual(self.pieces_of(other, village), {(pack, 0) for pack in village.packs})
        spare.is_up = True
        village.pass_time(6 * AFTER)
        self.assertEqual(self.standing(village), {0: other.fingerprint})

    def test_a_spare_that_takes_nothing(self) -> None:
        """One that says yes, and no when it is certified, has nothing for long."""
        village = self.settle()
        first = village.houses[spares_in_order(village.council.family.mandate, 0)[0]]

        async def begin(dossier):
            raise BitDustError("no-space", "the disk is full now")

        first.healing.stand_ins.begin = begin
        village.member(0).is_up = False
        village.pass_time(AFTER + AFTER / 2 + 2 * DAY)
        self.assertEqual(self.standing(village), {0: self.other(village, first).fingerprint})

    def test_a_spare_that_dies_while_it_begins(self) -> None:
        """A contract without the family's record is half of a beginning: the only spare there is goes on from there."""
        village = self.settle(spares=1)
        spare = village.spare(0)
        keep, cut = spare.councils.keep, []

        def keep_later(shown):
            cut.append(shown)
            return fail(BitDustError("no-space", "the disk is full")) if len(cut) < 3 else keep(shown)

        spare.councils.keep = keep_later
        village.member(0).is_up = False
        village.pass_time(AFTER + 3 * DAY)
        self.assertGreater(len(cut), 2)
        self.assertEqual(self.pieces_of(spare, village), {(pack, 0) for pack in village.packs})
        self.assertEqual(len(spare.store.customers()), 1)

    def test_a_certificate_that_nobody_has_any_more(self) -> None:
        """A spare that has contract and family, and lost its certificate, says yes again, with no room twice."""
        village, spare = self.healed(spares=1)
        customer = village.owner.fingerprint
        offer = {"kind": "spare-offer", "customer": customer, "room": 10 * MIB}
        self.refused("conflict", spare, village.council.members[1], Command.EVENT, offer)
        for house in village.houses.values():
            house.councils.book.of(customer).certificates = []
        spare.settings.values["services/supplier/donated-space"] = 25 * MIB
        self.successResultOf(spare.handle(village.council.members[1], Command.EVENT, offer, b""))
        village.pass_time(DAY)
        self.assertEqual(self.standing(village), {0: spare.fingerprint})

    def test_a_spare_that_is_away_for_a_day(self) -> None:
        """It keeps the place."""
        village, spare = self.healed()
        for _ in range(3):
            spare.is_up = False
            village.pass_time(DAY)
            spare.is_up = True
            village.pass_time(DAY)
        self.assertEqual(self.standing(village), {0: spare.fingerprint})

    def test_a_minority_moves_no_spare(self) -> None:
        """Who alone does not meet the spare finds nobody that votes for another one."""
        village, spare = self.healed()
        mine = village.member(1)
        village.cuts = [{mine.fingerprint, spare.fingerprint}]
        village.pass_time(2 * AFTER)
        self.assertTrue(mine.councils.is_spare_gone(village.owner.fingerprint, spare.fingerprint))
        self.assertEqual([self.standing(village, asked) for asked in (1, 2, 3)], [{0: spare.fingerprint}] * 3)
        self.assertEqual(self.other(village, spare).healing.stand_ins.states(), [])


class RateTests(VillageCase):
    """Under a certificate nothing is read without a limit."""

    def asked(self, asked: House, spare: House, command: Command, fields: dict, owner: bytes) -> str:
        claim = SpareClaim(owner, 0).to_bytes()
        results: list = []
        asked.handle(spare.person, command, fields, b"", owner=owner, capability=claim).addBoth(results.append)
        return str(getattr(getattr(results[0], "value", None), "code", ""))

    def test_logs_heads_and_lists_count_too(self) -> None:
        """A spare that reads the log, the heads or the list again and again is told to come later, and then may."""
        village, spare = self.healed()
        asked, owner = village.member(1), village.owner
        asked.settings.values["services/customer-family/healing-rate"] = 10_000
        device = owner.device.id
        questions = [
            (Command.RETRIEVE, {"kind": "heads"}),
            (Command.RETRIEVE, {"kind": "log", "device": device, "first": 1, "most": 2**20}),
            (Command.LIST_FILES, {"after": b"", "most": 1000}),
        ]
        for command, fields in questions:
            asked.clock.advance(60)
            codes = [self.asked(asked, spare, command, fields, owner.fingerprint) for _ in range(200)]
            self.assertEqual((codes[0], codes[-1]), ("", "busy"))
            asked.clock.advance(10)
            self.assertEqual(self.asked(asked, spare, command, fields, owner.fingerprint), "")

    def test_a_spare_has_patience(self) -> None:
        """Members that give little in a second are asked again: the place is whole in the end."""
        village = self.settle()
        for number in range(4):
            village.member(number).settings.values["services/customer-family/healing-rate"] = 2000
        village.member(0).is_up = False
        village.pass_time(AFTER + 3 * DAY)
        (spare,) = [one for one in self.spares(village) if one.healing.stand_ins.states()]
        for _ in range(20):
            village.pass_time(60, 5)
        self.assertEqual(self.pieces_of(spare, village), {(pack, 0) for pack in village.packs})

    def test_no_more_at_once_than_strangers_get(self) -> None:
        """A spare asks each member for as many pieces at once as that gives to people it does not know, and for the
        next one when one has come: nobody tells it to come again, which would cost a second each time."""
        self.assertEqual(READS_OF_A_STRANGER, 2)
        village, spare = self.healed()
        waiting: list[tuple[bytes, Deferred]] = []

        def send(to, command, fields, **more):
            waiting.append((to, Deferred()))
            return waiting[-1][1]

        self.patch(spare.outbox, "send", send)
        reader = MemberReader(spare, spare.councils, village.owner.fingerprint)
        one, other = (village.member(number).fingerprint for number in (1, 2))
        pack = next(iter(village.packs.values()))
        asking = [Deferred.fromCoroutine(reader.piece(who, pack.id, 1)) for who in (one, one, one, one, other)]
        self.assertEqual([who for who, _ in waiting], [one, one, other])
        asking[2].addErrback(lambda failure: failure.trap(CancelledError))
        asking[2].cancel()
        waiting[0][1].callback(Reply({"record": pack.signed.to_bytes()}, pack.pieces[1]))
        self.assertEqual(self.successResultOf(asking[0])[1], pack.pieces[1])
        waiting[1][1].errback(BitDustError("not-found", "it is not here"))
        self.failureResultOf(asking[1], BitDustError)
        self.assertEqual([who for who, _ in waiting], [one, one, other, one])
        for answer in (waiting[2][1], waiting[3][1]):
            answer.callback(Reply({"record": pack.signed.to_bytes()}, pack.pieces[1]))
        self.assertEqual([len(self.successResultOf(asked)) for asked in asking[3:]], [2, 2])

    def test_offers_count_too(self) -> None:
        """Whether there is room for a place is said to one peer a few times a minute, to strangers as well."""
        village = self.settle()
        asked, stranger = village.spare(0), Person("stranger")
        offer = {"kind": "spare-offer", "customer": bytes(32), "room": 1}
        results: list = []
        for _ in range(21):
            asked.handle(stranger, Command.EVENT, offer, b"").addBoth(results.append)
        self.assertEqual([getattr(getattr(one, "value", None), "code", "") for one in results], [""] * 20 + ["busy"])
        asked.clock.advance(61)
        self.successResultOf(asked.handle(stranger, Command.EVENT, offer, b""))


class EndedTests(SynchronousTestCase):
    def test_as_many_as_are_remembered(self) -> None:
        """Who has left is known after a restart, of as many as a node remembers; of more, the newest."""
        folder, last = Path(self.mktemp()), WriteFile(Path(), None)

        def keep(job: WriteFile) -> Deferred[None]:
            nonlocal last
            last = job
            return succeed(None)

        book = HealingBook(folder, keep)
        for number in range(MOST_ENDED + 1):
            book._ended[number.to_bytes(32, "big")] = number
        book.note_ended(b"n" * 32, MOST_ENDED + 5)
        last.prepare()
        book = HealingBook(folder, keep)
        book.load()
        self.assertEqual(book.ended(b"n" * 32), MOST_ENDED + 5)
        self.assertEqual(book.ended((2).to_bytes(32, "big")), 2)
        self.assertIsNone(book.ended((1).to_bytes(32, "big")))
