"""Moving an identity to other ID servers: what must be true before anything changes at home, and what follows."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from bitdust.automats.kernel import Registry
from bitdust.identity.client import Outcome, Server
from bitdust.identity.document import IdentityDocument
from bitdust.identity.me import Me
from bitdust.identity.rotation import AUTOMATIC, DEAD_AFTER, Rotated, Rotation
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from tests.unit.kit import Settings
from tests.unit.test_identity import GOOD, HomeCase
from tests.vectors.keys import device, master

FIRST, SECOND, THIRD = (Server(f"{name}.example", 80) for name in ("first", "second", "third"))
NAME = GOOD.name
MIN, MAX = (f"services/identity-propagate/{which}-servers" for which in ("min", "max"))


class RotationTests(HomeCase):
    """My name is at the first server; the second and the third are known, and answer."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.me = Me(self.world, self.events)
        start = IdentityDocument.create(master(), (FIRST.url(NAME),), 3, GOOD.devices, 1.0)
        self.me.adopt(start, master(), device())
        self.settings = Settings({MIN: 1, MAX: 5, AUTOMATIC: True})
        self.at: dict[IDURL, Any] = {FIRST.url(NAME): start}
        self.dead: set[str] = set()
        self.known = [FIRST, SECOND, THIRD]
        self.events.sent.clear()
        world = evolve(self.world, clock=self.clock)
        self.rotation = Rotation(
            world,
            self.settings,
            self.events,
            Registry(self.clock),
            (self.me, self),  # type: ignore[arg-type]
        )

    # the ID servers

    def servers(self) -> list[Server]:
        return self.known

    def probe(self, server: Server) -> "Deferred[bool]":
        return succeed(server.host not in self.dead)

    def fetch(self, idurl: IDURL) -> "Deferred[Any]":
        if idurl.host in self.dead:
            return fail(BitDustError("network-error", "silence"))
        found = self.at.get(idurl)
        return succeed(found) if found is not None else fail(BitDustError("not-found", "nobody"))

    def exists(self, idurl: IDURL) -> "Deferred[Any]":
        return succeed(self.at.get(idurl))

    def publish(self, document: IdentityDocument, sources: Any) -> "Deferred[dict[IDURL, Outcome]]":
        self.at |= dict.fromkeys(sources, document)
        return succeed({idurl: Outcome("stored") for idurl in sources})

    # what is done

    def rotate(self) -> Rotated:
        found: Rotated = self.successResultOf(self.rotation.rotate())
        return found

    def refused(self, code: str) -> None:
        before = self.me.document
        self.assertEqual(self.failureResultOf(self.rotation.rotate(), BitDustError).value.code, code)
        self.assertEqual(self.me.document, before)

    def hosts(self) -> list[str]:
        return [source.host for source in self.me.document.sources]

    def test_moved(self) -> None:
        """The new server comes first, the former one stays behind it; the home has it, and events say so."""
        rotated = self.rotate()
        self.assertEqual(self.hosts(), ["second.example", "first.example"])
        self.assertEqual((rotated.new.revision, self.me.document), (4, self.at[SECOND.url(NAME)]))
        again = Me(self.world, self.events)
        again.load()
        self.assertEqual(again.document, self.me.document)
        names = [name for name in self.events.names() if "rotat" in name or "url" in name]
        self.assertEqual(
            names,
            ["identity-rotated", "my-identity-rotated", "identity-url-changed", "my-identity-url-changed",
             "my-identity-rotate-complete"],
        )  # fmt: skip
        changed = dict(self.events.sent)["identity-url-changed"]
        self.assertEqual(changed["new_idurl"], str(SECOND.url(NAME)))
        self.rotate()
        self.assertEqual(self.hosts(), ["third.example", "second.example", "first.example"])
        self.refused("no-id-server")

    def test_a_dead_server_is_left(self) -> None:
        """One that does not answer, or has somebody else's document there, is no source any more."""
        self.dead.add("first.example")
        self.rotate()
        self.assertEqual(self.hosts(), ["second.example"])
        self.at[SECOND.url(NAME)] = IdentityDocument.create(master("other"), (SECOND.url(NAME),), 1, GOOD.devices, 1.0)
        self.rotate()
        self.assertEqual(self.hosts(), ["third.example"])

    def test_fewest_and_most(self) -> None:
        """As many servers as the settings want, the oldest goes first."""
        self.settings.values[MIN] = 3
        self.rotate()
        self.assertEqual(self.hosts(), ["second.example", "third.example", "first.example"])
        self.settings.values |= {MIN: 1, MAX: 2}
        self.known.append(Server("fourth.example", 80))
        self.rotate()
        self.assertEqual(self.hosts(), ["fourth.example", "second.example"])

    def test_nowhere_to_go(self) -> None:
        """A name that somebody else has, or a server that does not answer, is none to go to."""
        self.at[SECOND.url(NAME)] = IdentityDocument.create(master("other"), (SECOND.url(NAME),), 1, GOOD.devices, 1.0)
        self.dead.add("third.example")
        self.refused("no-id-server")
        self.dead.clear()
        self.rotate()
        self.assertEqual(self.hosts()[0], "third.example")

    def test_a_server_that_does_not_keep_it(self) -> None:
        """One that refuses the document, or gives back another one, changes nothing here."""
        self.patch(self, "publish", lambda document, sources: succeed({SECOND.url(NAME): Outcome("refused", "no")}))
        self.refused("not-registered")
        self.patch(self, "publish", lambda document, sources: succeed({SECOND.url(NAME): Outcome("stored")}))
        self.at[SECOND.url(NAME)] = self.me.document
        self.refused("not-registered")

    def test_another_device(self) -> None:
        """What another device has changed meanwhile is not written over."""
        real = self.publish

        def publish(document: IdentityDocument, sources: Any) -> "Deferred[Any]":
            self.me.replace_document(self.me.revise())
            return real(document, sources)

        self.patch(self, "publish", publish)
        failure = self.failureResultOf(self.rotation.rotate(), BitDustError)
        self.assertEqual((failure.value.code, self.hosts()), ("busy", ["first.example"]))

    def test_silence(self) -> None:
        """Servers that say nothing at all end it after a minute, one move at a time; a stop ends it at once."""
        self.patch(self, "fetch", lambda idurl: Deferred())
        moving = self.rotation.rotate()
        self.assertEqual(self.assertRaises(BitDustError, self.rotation.rotate).code, "busy")
        self.clock.advance(60)
        self.assertEqual(self.failureResultOf(moving, BitDustError).value.code, "network-error")
        moving = self.rotation.rotate()
        self.rotation.stop()
        self.assertEqual(self.failureResultOf(moving, BitDustError).value.code, "network-error")
        moving = self.rotation.rotate()
        moving.addErrback(lambda _: None)
        moving.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def pushed(self, word: str, seconds: float) -> None:
        self.rotation.follow({self.me.document.idurl: Outcome(word)})
        self.clock.advance(seconds)

    def test_by_itself(self) -> None:
        """A first server that is dead for a whole day is left, if that is allowed; an answer begins a new day."""
        self.dead.add("first.example")
        self.pushed("unreachable", DEAD_AFTER - 1)
        self.pushed("stored", 0)
        self.pushed("unreachable", DEAD_AFTER)
        self.settings.values[AUTOMATIC] = False
        self.pushed("unreachable", 0)
        self.assertEqual(self.hosts(), ["first.example"])
        self.settings.values[AUTOMATIC] = True
        self.pushed("unreachable", 0)
        self.assertEqual(self.hosts(), ["second.example"])

    def test_by_itself_in_vain(self) -> None:
        """Where nobody answers, as without a network, the identity stays where it is, and it is tried again."""
        self.known = [FIRST]
        for _ in range(3):
            self.pushed("unreachable", DEAD_AFTER)
        self.assertEqual(self.hosts(), ["first.example"])
