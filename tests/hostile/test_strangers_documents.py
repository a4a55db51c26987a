"""Identity documents without end: everybody makes as many as he likes, and shows each."""

from pathlib import Path

from attrs import evolve
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.identity import cache as cache_module
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import IdentityDocument
from tests.unit.kit import Events
from tests.unit.test_identity import GOOD, SOURCES, made
from tests.vectors.keys import master


class Threads:
    """A world whose threads work when the test says so."""

    def __init__(self, home) -> None:
        self.home = home
        self.work: list = []

    def run_in_thread(self, call, *arguments) -> Deferred:
        done: Deferred = Deferred()
        self.work.append((call, arguments, done))
        return done

    def finish(self) -> int:
        """Do the work that waits; how many calls that were."""
        work, self.work = self.work, []
        for call, arguments, done in work:
            done.callback(call(*arguments))
        return len(work)


def stranger(number: int, revision: int = 3, size: int = 0) -> IdentityDocument:
    """Somebody whom nobody asked for; nobody can sign with a key like this, which takes no time to make."""
    numbers = rsa.RSAPublicNumbers(65537, master()._key.public_key().public_numbers().n + 2 + 2 * number)
    spki = numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return evolve(GOOD, key=spki, revision=revision, signature=bytes(size))


class StrangersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp()).resolve()
        self.home.mkdir()
        self.threads = Threads(self.home)
        self.patch(cache_module, "MAX_STRANGERS", 10)
        self.cache = self.again()
        self.flood = [stranger(number) for number in range(40)]

    def again(self) -> IdentityCache:
        cache = IdentityCache(self.threads, Events())
        cache.load()
        return cache

    def come(self, *documents: IdentityDocument) -> None:
        for document in documents or self.flood:
            self.cache.accept(document)

    def files(self) -> int:
        while self.threads.finish():
            pass
        return len(list((self.home / "identitycache").iterdir()))

    def test_no_place_and_no_file(self) -> None:
        """Of strangers the last few are known, and as few bytes; none of them costs the disk anything."""
        self.come()
        self.assertEqual(self.cache.all(), sorted(self.flood[-10:], key=lambda one: (one.name, one.global_id)))
        self.assertEqual((self.threads.work, self.files()), ([], 0))
        self.patch(cache_module, "STRANGERS_BYTES", 100_000)
        self.come(*(stranger(number, size=20_000) for number in range(100, 110)))
        self.assertLess(sum(len(one.xml) for one in self.cache.all()), 100_000)

    def test_newcomers_find_a_place(self) -> None:
        """However many came before, a revocation of somebody who comes now is known."""
        self.come()
        self.come(GOOD)
        self.come(*self.flood[:9])
        self.assertEqual(self.cache.accept(made(4)), "newer")
        self.assertEqual(self.cache.accept(GOOD), "stale")

    def test_people_with_whom_there_are_dealings(self) -> None:
        """They stay, with every newer document, whoever comes, and are there after a restart; so are those who became
        somebody after their document had come."""
        self.cache.keep(GOOD)
        before = stranger(1000)
        self.come(before)
        self.cache.follow(lambda fingerprint: fingerprint == before.fingerprint)
        self.come()
        self.assertEqual(self.cache.accept(made(4)), "newer")
        self.assertEqual(self.cache.accept(evolve(before, revision=5)), "newer")
        self.come(*(stranger(number) for number in range(50, 90)))
        self.assertEqual(self.cache.get(GOOD.fingerprint).revision, 4)
        self.assertEqual(self.cache.get(before.fingerprint).revision, 5)
        self.assertEqual(self.files(), 2)
        self.assertEqual(self.again().get(GOOD.fingerprint).revision, 4)

    def test_people_whom_somebody_named(self) -> None:
        """A name that the person asked for leads to its key however many strangers use the same name."""
        self.cache.accept(GOOD, SOURCES[0])
        self.come()
        self.assertEqual(self.cache.by_idurl(SOURCES[0]), GOOD)
        self.files()
        self.assertEqual(self.again().by_idurl(SOURCES[0]), GOOD)

    def test_customers(self) -> None:
        """A customer's document is known as long as its contract keeps it, and no file of the cache besides."""
        self.cache.follow(lambda fingerprint: fingerprint == GOOD.fingerprint)
        seen: list[int] = []
        self.cache.changed.connect(lambda document: seen.append(document.revision))
        self.cache.hold(GOOD)
        self.cache.hold(made(2))
        self.assertEqual(self.cache.accept(made(4)), "newer")
        self.assertEqual(seen, [3, 4])
        self.cache.follow(lambda fingerprint: False)
        self.come()
        self.assertEqual(self.cache.get(GOOD.fingerprint).revision, 4)
        self.cache.let_go(GOOD.fingerprint)
        self.come()
        self.assertIsNone(self.cache.get(GOOD.fingerprint))
        self.assertEqual(self.files(), 0)

    def test_those_who_were_somebody(self) -> None:
        """What is kept is bounded as well: the oldest with whom there are no dealings any more goes, and its file."""
        self.patch(cache_module, "MAX_KEPT", 3)
        dealings = {stranger(0).fingerprint}
        self.cache.follow(dealings.__contains__)
        self.cache.accept(GOOD, SOURCES[0])
        for number in range(6):
            self.cache.keep(stranger(number))
        known = [self.cache.get(one.fingerprint) is not None for one in (GOOD, *map(stranger, range(6)))]
        self.assertEqual(known, [True, True, False, False, False, False, True])
        self.assertEqual(self.files(), 4)

    def test_the_reactor_does_not_wait_for_the_disk(self) -> None:
        """A newer document counts at once; it is written in a thread, together with others that came meanwhile."""
        self.cache.keep(GOOD)
        for revision in (4, 5, 6):
            self.cache.accept(made(revision))
            self.assertEqual(self.cache.get(GOOD.fingerprint).revision, revision)
        self.cache.keep(stranger(1))
        self.assertEqual([self.threads.finish(), self.threads.finish(), self.threads.finish()], [1, 1, 0])
        self.assertEqual(self.again().get(GOOD.fingerprint).revision, 6)
