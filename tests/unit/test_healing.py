"""A family heals while its owner is away: what members see and vote, what a spare is given, and what is refused."""

from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.spare_votes import spares_in_order
from bitdust.customers.healing import councils, dossiers
from bitdust.wire.encoding import encode
from bitdust.wire.healing import SpareClaim
from bitdust.wire.packet import Command
from tests.unit.healing_kit import AFTER, FakeParser, House, Village
from tests.unit.kit import Reply
from tests.unit.supplier_kit import DAY, Person, log_of, now


class VillageCase(SynchronousTestCase):
    def settle(self, **changes) -> Village:
        """A village whose spares wait."""
        village = Village(Path(self.mktemp()), **changes)
        self.addCleanup(village.stop)
        self.patch(dossiers, "IdentityDocument", FakeParser(village.council.people))
        village.start_spares()
        return village

    def healed(self, **changes) -> tuple[Village, House]:
        """A village in which a spare has the place of member 0, and everything of it."""
        village = self.settle(**changes)
        village.member(0).is_up = False
        village.pass_time(AFTER + 3 * DAY)
        found = [one for one in self.spares(village) if one.healing.stand_ins.states()]
        self.assertEqual(len(found), 1)
        return village, found[0]

    def spares(self, village: Village) -> list[House]:
        return [village.spare(number) for number in range(len(village.council.spares))]

    def standing(self, village: Village, asked: int = 1) -> dict[int, bytes]:
        """Who stands in at which place, as a member knows it."""
        bench = village.member(asked).councils.bench(village.owner.fingerprint)
        return {one.terms.place: one.terms.spare for one in bench.certificates}

    def refused(self, code: str, house: House, peer: Person, command, fields, payload=b"", **under) -> None:
        """The packet is refused with this code."""
        ended = house.handle(peer, command, fields, payload, **under)
        error = self.failureResultOf(ended).value
        self.assertEqual(getattr(error, "code", error), code)

    def pieces_of(self, house: House, village: Village) -> set[tuple[bytes, int]]:
        kept = house.store.listing(village.owner.fingerprint, b"", 100).pieces
        return {(pack, number) for pack, number, _ in kept}


class HealingTests(VillageCase):
    def test_a_member_that_is_gone_is_replaced(self) -> None:
        """After the mandate's time a spare has every piece, the key ring and the whole log."""
        village, spare = self.healed()
        owner = village.owner
        self.assertEqual(self.standing(village), {0: spare.fingerprint})
        self.assertEqual(self.pieces_of(spare, village), {(pack, 0) for pack in village.packs})
        for pack in village.packs.values():
            self.assertEqual(spare.get(owner, pack, 0).bytes, pack.pieces[0])
        self.assertEqual(spare.store.record(owner.fingerprint, "keyring"), owner.ring(1).to_bytes())
        self.assertEqual(spare.store.heads(owner.fingerprint), village.member(1).store.heads(owner.fingerprint))
        self.assertEqual(dict(spare.healing.stand_ins.states()), {owner.fingerprint: "WHOLE"})
        self.assertIn("customer-spare-rebuilt", spare.events.names())

    def test_an_owner_in_touch_decides_itself(self) -> None:
        """While the owner comes now and then nobody looks for anybody, whoever is gone."""
        village = self.settle()
        village.member(0).is_up = False
        for _ in range(12):
            village.pass_time(DAY)
            for number in (1, 2, 3):
                village.member(number).presence.changed.emit(village.owner.fingerprint, True)
        self.assertEqual(self.standing(village), {})
        self.assertEqual([kind for _, kind, _ in village.sent if kind is not None], [])

    def test_a_member_that_is_there_now_and_then(self) -> None:
        """Whoever comes back within the time is not gone."""
        village = self.settle()
        for _ in range(4):
            village.member(0).is_up = False
            village.pass_time(5 * DAY)
            village.member(0).is_up = True
            village.pass_time(DAY)
        self.assertEqual(self.standing(village), {})

    def test_own_absence_is_not_the_other_s(self) -> None:
        """A node that was off, or that meets no majority, has not watched anybody being away."""
        village = self.settle()
        mine, customer = village.member(1), village.owner.fingerprint
        village.cuts = [{mine.fingerprint, one} for one in village.houses]
        village.pass_time(3 * AFTER)
        seen = mine.councils.book.of(customer).seen[village.member(0).fingerprint]
        self.assertLess(seen.watched, 2 * DAY)
        self.assertEqual(self.standing(village), {})

    def test_what_was_seen_outlives_a_restart(self) -> None:
        """The time for which a member was watched is on the disk; the pause is not counted."""
        village = self.settle()
        village.member(0).is_up = False
        village.pass_time(AFTER / 2)
        mine, customer, gone = village.member(1), village.owner.fingerprint, village.member(0).fingerprint
        before = mine.councils.book.of(customer).seen[gone]
        self.assertGreater(before.watched, DAY)
        mine.healing.stop()
        mine.living()
        mine.now += 30 * DAY
        mine.healing.start()
        self.assertEqual(mine.councils.book.of(customer).seen[gone], before)
        self.assertFalse(mine.councils.is_gone(customer, gone))

    def test_a_clock_that_is_set_back(self) -> None:
        """It takes nothing off the time for which a member was watched."""
        village = self.settle()
        mine, customer, gone = village.member(1), village.owner.fingerprint, village.member(0).fingerprint
        village.member(0).is_up = False
        village.pass_time(DAY)
        watch, seen = mine.councils, mine.councils.book.of(customer).seen
        before = seen[gone].watched
        mine.clock.rightNow -= 365 * DAY
        watch.note_silent(customer, gone, AFTER)
        self.assertEqual(seen[gone].watched, before)
        mine.clock.rightNow += 365 * DAY

    def test_a_partition_heals_without_a_false_spare(self) -> None:
        """Half of a family is no majority: nobody calls anybody gone, however long they do not meet."""
        village = self.settle()
        sides = [village.member(number).fingerprint for number in range(4)]
        village.cuts = [{one, other} for one in sides[:2] for other in sides[2:]]
        village.pass_time(3 * AFTER)
        self.assertEqual([self.standing(village, number) for number in range(4)], [{}] * 4)

    def test_a_member_that_comes_back(self) -> None:
        """It is told, it keeps its pieces, and the certificate is not renewed."""
        village, spare = self.healed()
        back = village.member(0)
        back.is_up = True
        village.pass_time(2 * DAY)
        self.assertEqual(self.standing(village, 0), {0: spare.fingerprint})
        self.assertEqual(self.pieces_of(back, village), {(pack, 0) for pack in village.packs})
        village.pass_time(4 * AFTER)
        self.assertEqual(self.standing(village), {})
        self.assertEqual(self.pieces_of(spare, village), {(pack, 0) for pack in village.packs})

    def test_a_certificate_is_renewed(self) -> None:
        """As long as the member is gone and the spare has what it should the place stays healed."""
        village, spare = self.healed()
        village.pass_time(6 * AFTER)
        self.assertEqual(self.standing(village), {0: spare.fingerprint})

    def test_a_spare_that_has_nothing(self) -> None:
        """One that cannot show a piece is not voted for again; when its time is over another one is."""
        village = self.settle()
        order = councils.Councils.place_of_spare
        self.patch(
            councils.Councils,
            "place_of_spare",
            lambda one, customer: None if one._me.name == self.first else order(one, customer),
        )
        self.first = ""
        village.member(0).is_up = False
        self.first = self.first_in_order(village).person.name
        village.pass_time(AFTER + 3 * DAY)
        self.assertEqual(self.standing(village), {0: self.first_in_order(village).fingerprint})
        village.pass_time(3 * AFTER)
        (found,) = self.standing(village).values()
        self.assertNotEqual(found, self.first_in_order(village).fingerprint)

    def first_in_order(self, village: Village) -> House:
        from_mandate = spares_in_order(village.council.family.mandate, 0)
        return village.houses[from_mandate[0]]

    def test_a_spare_that_was_killed_goes_on(self) -> None:
        """It makes what is missing, and takes nothing twice."""
        village = self.settle()
        village.member(0).is_up = False
        village.pass_time(AFTER + 3 * DAY)
        spare = next(one for one in self.spares(village) if one.healing.stand_ins.states())
        spare.healing.stop()
        first = sorted(village.packs)[0]
        order = village.owner.order(first).to_bytes()
        self.assertIsNone(spare.ask(village.owner, Command.DELETE_FILE, None, order).code)
        self.assertEqual(len(self.pieces_of(spare, village)), 2)
        village.sent.clear()
        spare.living()
        spare.healing.start()
        village.pass_time(DAY)
        self.assertEqual(self.pieces_of(spare, village), {(pack, 0) for pack in village.packs})
        self.assertEqual(len([1 for name, kind, _ in village.sent if (name, kind) == (spare.person.name, "piece")]), 2)


class LiarTests(VillageCase):
    def lying(self, number: int, lie, village: Village | None = None) -> Village:
        """A village in which a member answers something else."""
        village = village or self.settle()
        village.member(number).lie = lie
        return village

    def heal(self, village: Village) -> House:
        village.member(0).is_up = False
        village.pass_time(AFTER + 3 * DAY)
        (spare,) = [one for one in self.spares(village) if one.healing.stand_ins.states()]
        return spare

    def flipped(self, fields: dict, reply: Reply) -> Reply:
        return evolve(reply, payload=reply.payload[::-1]) if fields.get("kind") == "piece" else reply

    def test_pieces_of_a_liar(self) -> None:
        """A piece that does not fit its root is asked of somebody else; what is made is right."""
        village = self.lying(1, self.flipped)
        spare = self.heal(village)
        for pack in village.packs.values():
            self.assertEqual(spare.get(village.owner, pack, 0).bytes, pack.pieces[0])

    def test_more_liars_than_can_be_borne(self) -> None:
        """Then nothing is made, rather than something wrong; it is tried again."""
        village = self.lying(2, self.flipped, self.lying(1, self.flipped))
        spare = self.heal(village)
        self.assertEqual(self.pieces_of(spare, village), set())
        self.assertNotIn("WHOLE", dict(spare.healing.stand_ins.states()).values())
        for number in (1, 2):
            del village.member(number).lie
        village.pass_time(2 * DAY)
        self.assertEqual(self.pieces_of(spare, village), {(pack, 0) for pack in village.packs})

    def test_a_log_that_is_no_chain(self) -> None:
        """Entries that the owner's head does not end are refused, and another member's log is taken."""
        other = encode([data for data, _ in Person("owner").log(3, mark=b"others")])

        def lie(fields: dict, reply: Reply) -> Reply:
            return evolve(reply, payload=other) if fields.get("kind") == "log" else reply

        village = self.lying(1, lie)
        spare, owner = self.heal(village), village.owner
        found = log_of(spare.store, owner.fingerprint, owner.device.id)
        self.assertEqual(found, log_of(village.member(3).store, owner.fingerprint, owner.device.id))

    def test_a_list_without_end(self) -> None:
        """Who fills pages with packs that nobody else has is asked no more; the others are enough."""

        def lie(fields: dict, reply: Reply) -> Reply:
            if "after" not in fields:
                return reply
            start = int.from_bytes(fields["after"] or bytes(16), "big")
            rows = [[(start + step).to_bytes(16, "big"), 1, 10] for step in range(1, fields["most"] + 1)]
            return evolve(reply, fields={"more": True}, payload=encode(rows))

        village = self.lying(1, lie)
        spare = self.heal(village)
        self.assertEqual(self.pieces_of(spare, village), {(pack, 0) for pack in village.packs})

    def test_a_damaged_file(self) -> None:
        """What this node has seen and voted counts as nothing, and so nobody counts as gone."""
        village, _ = self.healed()
        mine, customer = village.member(1), village.owner.fingerprint
        mine.healing.stop()
        path = mine.world.home / "metadata" / "healing" / customer.hex()
        path.write_bytes(path.read_bytes()[:-3])
        mine.living()
        mine.healing.start()
        self.assertEqual(mine.councils.book.of(customer).votes, {})
        self.assertFalse(mine.councils.is_gone(customer, village.member(0).fingerprint))


class RefusalTests(VillageCase):
    def claimed(self, village: Village, place: int = 0) -> dict:
        owner = village.owner.fingerprint
        return {"owner": owner, "capability": SpareClaim(owner, place).to_bytes()}

    def piece(self, village: Village, index: int, number: int = 0) -> dict:
        pack = sorted(village.packs)[number]
        return {"kind": "piece", "pack": pack, "index": index, "offset": 0, "length": 0}

    def test_nobody_but_the_spare_reads(self) -> None:
        """A member that lost its pieces, a spare without a place, a stranger: a claim without a certificate is none."""
        village, spare = self.healed()
        other = next(one for one in self.spares(village) if one is not spare)
        asked, fields = village.member(1), self.piece(village, 1)
        for who in (village.council.members[2], other.person, Person("stranger")):
            self.refused("not-allowed", asked, who, Command.RETRIEVE, fields, **self.claimed(village))
        self.refused("not-allowed", asked, spare.person, Command.RETRIEVE, fields, **self.claimed(village, 1))
        reply = self.successResultOf(
            asked.handle(spare.person, Command.RETRIEVE, fields, b"", **self.claimed(village))
        )  # fmt: skip
        self.assertEqual(reply.payload, village.packs[fields["pack"]].pieces[1])

    def test_a_spare_reads_and_nothing_else(self) -> None:
        """It writes nothing, proves nothing, and touches nobody else's pieces."""
        village, spare = self.healed()
        asked, owner = village.member(1), village.owner.fingerprint
        pack = next(iter(village.packs.values()))
        under = self.claimed(village)
        store = {"kind": "piece", "index": 2, "record": pack.signed.to_bytes()}
        self.refused("not-allowed", asked, spare.person, Command.DATA, store, pack.pieces[2], **under)
        proof = {"kind": "proof", "nonce": bytes(32), "pieces": [{"pack": pack.id, "index": 1}]}
        self.refused("not-allowed", asked, spare.person, Command.RETRIEVE, proof, **under)
        fields = self.piece(village, 1)
        elsewhere = under | {"owner": bytes(32)}
        self.refused("not-allowed", asked, spare.person, Command.RETRIEVE, fields, **elsewhere)
        unknown = {"owner": bytes(32), "capability": SpareClaim(bytes(32), 0).to_bytes()}
        self.refused("no-contract", asked, spare.person, Command.RETRIEVE, fields, **unknown)
        self.assertEqual(self.pieces_of(asked, village), {(one, 1) for one in village.packs})
        self.assertIsNotNone(asked.store.contract_of(owner))

    def test_each_piece_a_few_times(self) -> None:
        """A spare that threw its pieces away cannot fetch them for each audit."""
        village, spare = self.healed()
        asked, fields = village.member(1), self.piece(village, 1)
        code, given = None, 0
        while code is None and given < 10:
            asked.clock.advance(60)
            ended = asked.handle(spare.person, Command.RETRIEVE, fields, b"", **self.claimed(village))
            results: list = []
            ended.addBoth(results.append)
            code = getattr(getattr(results[0], "value", None), "code", None)
            given += code is None
        self.assertEqual(code, "not-allowed")
        self.assertLessEqual(given, 4)

    def test_so_many_bytes_a_second(self) -> None:
        """Spares are asked to come again before they slow everything else down."""
        village, spare = self.healed()
        asked, fields = village.member(1), self.piece(village, 1)
        asked.settings.values["services/customer-family/healing-rate"] = 6000
        asked.clock.advance(60)
        self.assertTrue(now(asked.handle(spare.person, Command.RETRIEVE, fields, b"", **self.claimed(village))))
        asked.clock.advance(1)
        self.refused("busy", asked, spare.person, Command.RETRIEVE, fields, **self.claimed(village))

    def test_members_see_that_a_spare_has_its_pieces(self) -> None:
        """A member reads pieces of the place, and cannot list; nobody else reads."""
        village, spare = self.healed()
        member, fields, under = village.council.members[1], self.piece(village, 0), self.claimed(village)
        reply = self.successResultOf(spare.handle(member, Command.RETRIEVE, fields, b"", **under))
        self.assertEqual(reply.payload, village.packs[fields["pack"]].pieces[0])
        listing = {"after": b"", "most": 10}
        self.refused("not-allowed", spare, member, Command.LIST_FILES, listing, **under)
        self.refused("not-allowed", spare, Person("stranger"), Command.RETRIEVE, fields, **under)

    def vote(self, village: Village, asked: int, spare: int = 0, place: int = 0, by: int = 1) -> tuple:
        """The packet with which a member asks another for its vote."""
        customer = village.owner.fingerprint
        fields = {
            "kind": "spare-vote",
            "customer": customer,
            "place": place,
            "spare": village.spare(spare).fingerprint,
        }
        dossier = village.member(by).councils.dossier(customer).to_bytes()
        return village.member(asked), village.council.members[by], Command.EVENT, fields, dossier

    def test_no_vote_against_somebody_who_is_there(self) -> None:
        """A minority that calls a living member gone finds nobody who votes with it."""
        village = self.settle()
        village.pass_time(AFTER + 3 * DAY)
        self.refused("not-allowed", *self.vote(village, 2))

    def test_no_vote_while_the_owner_is_in_touch(self) -> None:
        """Not before the mandate's time is over for the owner as well."""
        village = self.settle()
        village.member(0).is_up = False
        village.pass_time(AFTER + 3 * DAY)
        village.member(2).presence.online = True
        self.refused("not-allowed", *self.vote(village, 2))

    def test_no_two_votes_for_one_place(self) -> None:
        """Whoever has voted for one spare votes for no other while that vote counts."""
        village, spare = self.healed()
        other = next(number for number in (0, 1) if village.spare(number) is not spare)
        asked = village.member(2)
        asked.healing.stop()
        asked.living()
        asked.healing.start()
        file = asked.councils.book.of(village.owner.fingerprint)
        file.certificates = []
        village.member(1).councils.book.of(village.owner.fingerprint).certificates = []
        self.refused("conflict", *self.vote(village, 2, other))

    def test_no_more_votes_than_the_mandate_has_places(self) -> None:
        """Votes that count already are places that are taken."""
        village, spare = self.healed(most=1)
        other = next(number for number in (0, 1) if village.spare(number) is not spare)
        asked, customer = village.member(2), village.owner.fingerprint
        for house in (asked, village.member(1)):
            house.councils.book.of(customer).certificates = []
        village.member(3).is_up = False
        asked.councils.book.of(customer).seen[village.member(3).fingerprint] = councils.Sighting(0, AFTER)
        self.refused("no-space", *self.vote(village, 2, other, place=3))

    def test_no_vote_for_strangers(self) -> None:
        """Only who belongs to the family asks; a spare that the mandate does not name is none."""
        village = self.settle()
        village.member(0).is_up = False
        village.pass_time(AFTER - DAY)
        house, member, command, fields, payload = self.vote(village, 2)
        self.refused("not-allowed", house, Person("stranger"), command, fields, payload)
        stranger = fields | {"spare": Person("stranger").fingerprint}
        self.refused("not-allowed", house, member, command, stranger, payload)
        self.refused("bad-field", house, member, command, fields | {"place": 40}, payload)
        self.refused("no-contract", house, member, command, fields | {"customer": bytes(32)}, payload)
        self.refused("bad-field", house, member, command, fields, b"\xff")

    def test_an_older_family_is_of_no_use(self) -> None:
        """A dossier of a revision before the newest is refused, and so is one that the owner did not sign."""
        village, spare = self.healed()
        asked, customer = village.member(2), village.owner.fingerprint
        fields = {"kind": "spare-certificate", "customer": customer}
        old = village.member(1).councils.dossier(customer)
        newer = village.owner.sign(evolve(village.council.family, revision=6)).to_bytes()
        self.assertIsNone(asked.ask(village.owner, Command.CONTACTS, "family", newer, space="family").code)
        self.assertEqual(self.standing(village, 2), {})
        self.refused("stale", asked, spare.person, Command.EVENT, fields, old.to_bytes())
        forged = village.council.members[1].sign(evolve(village.council.family, revision=9)).to_bytes()
        self.refused("bad-signature", asked, spare.person, Command.EVENT, fields, evolve(old, family=forged).to_bytes())
        other = fields | {"customer": bytes(32)}
        self.refused("bad-field", asked, spare.person, Command.EVENT, other, old.to_bytes())

    def test_a_minority_hires_nobody(self) -> None:
        """Without a majority's certificate a node becomes nobody's supplier, and gives nothing of its room."""
        village = self.settle()
        spare, customer = village.spare(0), village.owner.fingerprint
        minority = village.council.certificate(1, 2)
        dossier = evolve(village.member(1).councils.dossier(customer), certificates=[minority.to_bytes()])
        fields = {"kind": "spare-certificate", "customer": customer}
        self.refused("not-allowed", spare, village.council.members[1], Command.EVENT, fields, dossier.to_bytes())
        self.assertIsNone(spare.store.contract_of(customer))
        asked = village.member(3)
        self.successResultOf(asked.handle(village.council.members[1], Command.EVENT, fields, dossier.to_bytes()))
        self.assertEqual(self.standing(village, 3), {})

    def test_a_spare_without_room(self) -> None:
        """It says so, and a certificate does not change it."""
        village = self.settle()
        spare, customer = village.spare(0), village.owner.fingerprint
        spare.settings.values["services/supplier/donated-space"] = 1000
        offer = {"kind": "spare-offer", "customer": customer, "room": 2**30}
        self.refused("no-space", spare, village.council.members[1], Command.EVENT, offer)
        certificate = village.council.certificate(1, 2, 3)
        dossier = evolve(village.member(1).councils.dossier(customer), certificates=[certificate.to_bytes()])
        fields = {"kind": "spare-certificate", "customer": customer}
        self.refused("no-space", spare, village.council.members[1], Command.EVENT, fields, dossier.to_bytes())
        self.assertIsNone(spare.store.contract_of(customer))
        self.refused("conflict", village.member(1), village.council.members[2], Command.EVENT, offer)

    def test_who_may_know(self) -> None:
        """Certificates are for the owner and the family, the key ring for its spares, the status for both."""
        village, spare = self.healed()
        customer, member, stranger = village.owner.fingerprint, village.council.members[2], Person("stranger")
        asked = village.member(1)
        for kind, house in (("spares", asked), ("spare-records", asked), ("spare-status", spare)):
            fields = {"kind": kind, "customer": customer}
            self.refused("not-allowed", house, stranger, Command.RETRIEVE, fields)
        self.refused(
            "not-allowed", asked, member, Command.RETRIEVE, {"kind": "spare-records", "customer": customer}
        )  # fmt: skip
        status = {"kind": "spare-status", "customer": customer}
        reply = now(spare.handle(village.owner, Command.RETRIEVE, status, b""))
        self.assertEqual((reply.fields["state"], reply.fields["place"], reply.fields["made"]), ("WHOLE", 0, 3))
        self.refused("no-contract", village.spare(0) if spare is village.spare(1) else village.spare(1),
                     village.owner, Command.RETRIEVE, status)  # fmt: skip
