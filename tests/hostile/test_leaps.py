"""Whoever stole a device, or a key for a moment, writes the last revision there is, so that nobody can follow it.

Elsewhere: suppliers' records (`test_a_revision_out_of_reach`), a family of another device (`test_a_leap`), documents of
this identity (`test_a_document_of_the_last_revision`), records of the DHT (`test_a_leap` of its store).
"""

from types import SimpleNamespace

from attrs import evolve
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.dht.directory import newest_family
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import MAX_REVISION, Device
from bitdust.identity.server import IdentityServer, Refused
from bitdust.wire.revisions import MOST_AHEAD, followed
from tests.hostile.test_identity import SETTINGS, document
from tests.unit.kit import Settings
from tests.unit.storage_kit import done
from tests.unit.test_identity import GOOD, HomeCase
from tests.unit.test_registration import made

FAR = MOST_AHEAD + 1


class SideBySideTests(SynchronousTestCase):
    def test_one_of_several(self) -> None:
        """The highest one that is near those in the middle counts, so that none of them can go ahead of all others."""
        for found, expected in (([], 0), ([7], 7), ([7, 2**62], 7), ([5, 6, 6 + MOST_AHEAD], 1006), ([5, 5, 2**31], 5)):
            self.assertEqual(followed(found), expected)

    def test_a_family_in_the_dht(self) -> None:
        """Of the records of my devices the one that leaps is passed over."""
        devices = tuple(Device(number, 1, bytes([number]) * 32) for number in range(2))
        there = {GOOD.fingerprint + devices[0].id: 5, GOOD.fingerprint + devices[1].id: 2**62}
        get = lambda kind, subject, thorough: succeed(SimpleNamespace(revision=there[subject]))  # noqa: E731
        self.assertEqual(done(newest_family(SimpleNamespace(get=get), evolve(GOOD, devices=devices))).revision, 5)


class DocumentTests(HomeCase):
    def test_a_cache(self) -> None:
        """A document of somebody that leaps changes nothing of what is known, and one that follows does."""
        cache = IdentityCache(self.world, self.events)
        cache.load()
        words = [cache.accept(made(revision)) for revision in (GOOD.revision, MAX_REVISION, GOOD.revision + FAR)]
        self.assertEqual(words, ["new", "leap", "leap"])
        self.assertEqual(cache.get(GOOD.fingerprint).revision, GOOD.revision)
        self.assertEqual(cache.accept(made(GOOD.revision + MOST_AHEAD)), "newer")

    def test_an_id_server(self) -> None:
        """It goes on to give the document that it has, and takes the next one."""
        self.patch(IdentityServer, "port", 8084)
        server = IdentityServer(self.world, Settings(SETTINGS))
        (self.home / "identityserver").mkdir()
        here = lambda revision: document(server.port, revision).xml  # noqa: E731
        kept = here(5)
        self.assertEqual(self.successResultOf(server.accept(kept, "127.0.0.1")), "new")
        for far in (5 + FAR, MAX_REVISION):
            refused = self.assertRaises(Refused, server.accept, here(far), "127.0.0.1")
            self.assertEqual(refused.status, 409)
        self.assertEqual(server.read("alice"), kept)
        self.assertEqual(self.successResultOf(server.accept(here(6), "127.0.0.1")), "newer")
