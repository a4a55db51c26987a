"""Votes and certificates of a family whose owner is away: which count, and each reason why one does not."""

import itertools

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.spare_votes import LONGEST, SKEW, spares_in_order
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.healing import MAX_VOTE, Dossier, SpareCertificate, SpareClaim, SpareVote
from bitdust.wire.mandate import Mandate
from bitdust.wire.records import Family
from tests.unit.healing_kit import AFTER, Council
from tests.unit.supplier_kit import START, Person


class VotesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.council = Council()

    def refused(self, code: str, certificate: SpareCertificate, bench=None) -> None:
        """The certificate changes nothing and is refused with this code."""
        bench = bench or self.council.bench()
        self.assertEqual(self.assertRaises(WireError, bench.with_certificate, certificate).code, code)
        self.assertEqual(bench.with_all([certificate]), bench)


class CertificateTests(VotesCase):
    def test_a_majority_of_the_whole_family_counts(self) -> None:
        """Four of six votes give the place a spare; three, half of the family, do not."""
        council = self.council
        bench = council.bench().with_certificate(council.certificate(1, 2, 3, 4))
        self.assertEqual(bench.spare_at(0), council.spares[0].fingerprint)
        self.refused("not-allowed", council.certificate(1, 2, 3))

    def test_who_is_gone_does_not_vote(self) -> None:
        """The vote of the place itself is none, and one seat votes once."""
        council = self.council
        self.refused("not-allowed", council.certificate(0, 1, 2, 3))
        twice = [council.vote(1), council.vote(1, time=START - 1), council.vote(2), council.vote(3)]
        self.refused("not-allowed", SpareCertificate.of(twice))

    def test_strangers_do_not_vote(self) -> None:
        """Neither somebody outside of the family, nor a spare without a place, nor anybody for another's seat."""
        council, stranger = self.council, Person("stranger")
        council.people[stranger.fingerprint] = stranger
        for who in (stranger, council.spares[1], council.members[5]):
            vote = council.vote(4, signer=who, voter=who.fingerprint)
            certificate = SpareCertificate.of([*map(council.vote, (1, 2, 3)), vote])
            self.refused("not-allowed", certificate)
        beyond = SpareCertificate.of([*map(council.vote, (1, 2, 3)), council.vote(40)])
        self.refused("not-allowed", beyond)

    def test_forged_and_revoked_signatures(self) -> None:
        """A vote signed by another's device, with changed bytes, or by a device that its owner revoked."""
        council = self.council
        forged = [*map(council.vote, (1, 2, 3)), council.vote(4, signer=council.members[5])]
        self.refused("bad-signature", SpareCertificate.of(forged))
        good = council.certificate(1, 2, 3, 4)
        body = evolve(good.votes[0], since=1).to_body()
        changed = evolve(good, signed=(evolve(good.signed[0], body=body), *good.signed[1:]))
        self.refused("bad-signature", changed)
        council.revoke(council.members[2])
        self.refused("bad-signature", good)
        del council.people[council.members[2].fingerprint]
        self.refused("bad-signature", good)

    def test_over_or_not_yet(self) -> None:
        """Expired votes, votes of tomorrow, and votes that would last longer than the mandate lets anybody wait."""
        council = self.council
        good = council.majority()
        self.refused("stale", good, council.bench(START + AFTER))
        self.assertTrue(council.bench().with_certificate(council.majority(ends=START + LONGEST * AFTER)))
        self.refused("stale", council.majority(time=START + SKEW + 1))
        self.refused("stale", council.majority(ends=START + LONGEST * AFTER + SKEW + 1))

    def test_an_older_revision(self) -> None:
        """A certificate of a former family is of no use for any other: it cannot be played again."""
        council = self.council
        old = council.majority()
        council.family = evolve(council.family, revision=6)
        self.refused("stale", old)
        self.refused("stale", council.majority(revision=7))

    def test_what_the_mandate_does_not_say(self) -> None:
        """No mandate, one that is over, a spare that it does not name, a member as spare, another owner's family."""
        council = self.council
        good, family = council.majority(), council.family
        council.family = evolve(family, mandate=None)
        self.refused("not-allowed", good)
        council.family = evolve(family, mandate=evolve(family.mandate, ends=START))
        self.refused("not-allowed", good)
        council.family = evolve(family, mandate=evolve(family.mandate, spares=[council.spares[1].fingerprint]))
        self.refused("not-allowed", good)
        council.family = evolve(family, leaving=[council.spares[0].fingerprint, *[None] * 5])
        self.refused("not-allowed", good)
        council.family = family
        self.refused("not-allowed", council.majority(customer=council.members[0].fingerprint))

    def test_who_does_not_have_the_place(self) -> None:
        """Nobody is replaced at a place of somebody else, or at one that is not there."""
        council = self.council
        self.refused("not-allowed", council.majority(gone=council.members[5].fingerprint))
        self.refused("not-allowed", council.certificate(1, 2, 3, 4, place=30))

    def test_two_spares_of_one_place(self) -> None:
        """Whoever has the place has it as long as its certificate counts; two certificates give one answer."""
        council = self.council
        first, second = council.majority(), council.majority(spare=1, ends=START + AFTER - 9)
        bench = council.bench().with_certificate(first)
        self.assertEqual(self.assertRaises(WireError, bench.with_certificate, second).code, "conflict")
        for order in ([first, second], [second, first]):
            self.assertEqual(council.bench().with_all(order).spare_at(0), council.spares[0].fingerprint)

    def test_one_spare_for_two_places(self) -> None:
        """A disk that holds two pieces of a pack is one disk."""
        council = self.council
        bench = council.bench().with_certificate(council.majority())
        again = council.majority(place=1)
        self.assertEqual(self.assertRaises(WireError, bench.with_certificate, again).code, "conflict")

    def test_no_more_than_the_mandate_allows(self) -> None:
        """With as many places healed as the mandate says no other is, however many vote."""
        council = Council(most=1)
        bench = council.bench().with_certificate(council.majority())
        more = council.certificate(2, 3, 4, 5, place=1, spare=1)
        self.assertEqual(self.assertRaises(WireError, bench.with_certificate, more).code, "no-space")

    def test_a_spare_votes_in_its_place(self) -> None:
        """The family heals again and again: who stands in counts like who was there, and only while it stands in."""
        council = self.council
        first = council.majority()
        spare = council.spares[0]
        vote = council.vote(0, 1, 1, signer=spare, voter=spare.fingerprint)
        second = SpareCertificate.of([vote, *[council.vote(seat, 1, 1) for seat in (2, 3, 4)]])
        self.refused("not-allowed", second)
        for order in ([first, second], [second, first]):
            bench = council.bench().with_all(order)
            self.assertEqual(bench.spare_at(1), council.spares[1].fingerprint)
        self.assertEqual(bench.seats()[spare.fingerprint], 0)

    def test_renewed(self) -> None:
        """A later certificate of the same spare takes the place of the earlier one, and never the other way."""
        council = self.council
        first = council.majority(ends=START + 100)
        later = council.majority(time=START + 50, ends=START + 500)
        for order in ([first, later], [later, first]):
            bench = council.bench()
            for certificate in order:
                bench = bench.with_newer(certificate)
            self.assertEqual([one.ends for one in bench.certificates], [START + 500])

    def gone(self, *spares: int) -> dict:
        """What votes for another spare say of these."""
        return {"instead": sorted(self.council.spares[number].fingerprint for number in spares), "version": 2}

    def test_a_spare_that_is_gone_itself(self) -> None:
        """A majority that says so of the one that stands in gives its place to another, in whatever order they come."""
        council = self.council
        first = council.majority(ends=START + 4 * AFTER)
        second = council.majority(spare=1, time=START + 100, **self.gone(0))
        third = council.majority(spare=2, time=START + 200, **self.gone(0, 1))
        for order in itertools.permutations([first, second, third]):
            self.assertEqual(council.bench().with_all(order).spare_at(0), council.spares[2].fingerprint)
        for order in ([first, third], [third, first]):
            self.assertEqual(council.bench().with_all(order).spare_at(0), council.spares[2].fingerprint)

    def test_a_minority_says_so(self) -> None:
        """Each vote of the certificate must say it, and there must be a majority of them."""
        council = self.council
        bench = council.bench().with_certificate(council.majority())
        few = [council.vote(seat, 0, 1, **self.gone(0)) for seat in (1, 2, 3)]
        self.refused("not-allowed", SpareCertificate.of(few), bench)
        self.refused("conflict", SpareCertificate.of([*few, council.vote(4, 0, 1)]), bench)
        others = {"instead": [council.spares[2].fingerprint], "version": 2}
        self.refused("conflict", SpareCertificate.of([*few, council.vote(4, 0, 1, **others)]), bench)

    def test_one_that_came_back(self) -> None:
        """Of two that each say of the other that it is gone the later one counts, everywhere."""
        council = self.council
        first = council.majority(time=START - 100)
        second = council.majority(spare=1, time=START + 100, **self.gone(0))
        again = council.majority(time=START + 200, **self.gone(1))
        for order in itertools.permutations([first, second, again]):
            self.assertEqual(council.bench().with_all(order).spare_at(0), council.spares[0].fingerprint)

    def test_where_pieces_are(self) -> None:
        """Who only wants to find pieces may use a certificate that is over, but never one that was forged."""
        council = self.council
        bench = council.bench(None)
        self.assertEqual(bench.with_all([council.majority(ends=1)]).spare_at(0), council.spares[0].fingerprint)
        self.assertIsNone(bench.with_all([council.certificate(1, 2, 3)]).spare_at(0))

    def test_nobody_chooses_the_order(self) -> None:
        """The mandate's nonce orders its spares for each place, and all come to the same order."""
        council = Council(spares=8)
        mandate = council.family.mandate
        orders = [spares_in_order(mandate, place) for place in range(6)]
        self.assertEqual(orders[0], spares_in_order(evolve(mandate, spares=mandate.spares[::-1]), 0))
        self.assertEqual({frozenset(order) for order in orders}, {frozenset(mandate.spares)})
        self.assertGreater(len({order[0] for order in orders}), 1)


class FormatTests(VotesCase):
    def test_records_come_back(self) -> None:
        """A vote, a certificate, a dossier, a claim and a family with a mandate survive their bytes."""
        council = self.council
        vote, signed = SpareVote.read(council.vote(1))
        self.assertEqual(SpareVote.from_body(vote.to_body()), vote)
        certificate = council.majority()
        self.assertEqual(SpareCertificate.from_bytes(certificate.to_bytes()), certificate)
        dossier = Dossier(council.signed_family(), [b"xml"], [certificate.to_bytes()])
        self.assertEqual(Dossier.from_bytes(dossier.to_bytes()), dossier)
        claim = SpareClaim(council.owner.fingerprint, 3)
        self.assertEqual(SpareClaim.find(claim.to_bytes()), claim)
        self.assertEqual(Family.from_body(council.family.to_body()), council.family)

    def test_votes_for_another_spare(self) -> None:
        """They are of version 2, have room for every spare that a mandate may name, and an older one names nobody."""
        council = self.council
        vote, _ = SpareVote.read(council.vote(1))
        many = evolve(vote, version=2, instead=[bytes([number]) * 32 for number in range(16)])
        data = council.members[1].sign(many).to_bytes()
        self.assertLessEqual(len(data), MAX_VOTE)
        self.assertEqual(SpareVote.read(data)[0], many)
        for wrong in (evolve(many, version=1), evolve(many, instead=[]), evolve(vote, version=3)):
            self.assertRaises(WireError, SpareVote.from_body, wrong.to_body())

    def test_claims_that_are_none(self) -> None:
        """Nothing and other lists are no claim; a claim with a wrong field is refused."""
        self.assertIsNone(SpareClaim.find(None))
        self.assertIsNone(SpareClaim.find(encode(["capability", b"", b"", b""])))
        for value in (["spare", b"short", 1], ["spare", bytes(32), 64], ["spare", bytes(32), b"1"]):
            self.assertRaises(WireError, SpareClaim.find, encode(value))

    def test_certificates_that_cannot_be_read(self) -> None:
        """No votes, votes about different things, too many, other bytes."""
        council = self.council
        mixed = [council.vote(1), council.vote(2, spare=1)]
        for value in ([], mixed, [b""], [council.vote(1)] * 65, ["text"], {"votes": []}):
            self.assertRaises(WireError, SpareCertificate.from_bytes, encode(value))
        self.assertRaises(WireError, Dossier.from_bytes, encode({"version": 2}))

    def test_mandates_that_are_refused(self) -> None:
        """Small families do not heal by themselves; nobody is named twice; fields have limits."""
        family = self.council.family
        small = evolve(family, n=3, k=2, suppliers=family.suppliers[:3])
        self.assertRaises(WireError, Family.from_body, small.to_body())
        good = decode(family.to_body(), 16 * 1024)
        for changes in ({"spares": [bytes(32)] * 2}, {"after": 0}, {"most": 65}, {"nonce": b""}, {"spares": None}):
            body = encode(good | {"mandate": good["mandate"] | changes})
            self.assertRaises(WireError, Family.from_body, body)
        self.assertIsInstance(Family.from_body(encode(good)).mandate, Mandate)
