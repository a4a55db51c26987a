"""Newest identity documents between those who are in touch."""

import os

from attrs import evolve

from bitdust.crypt.device import DeviceKey
from bitdust.identity.document import Device, IdentityDocument
from bitdust.peers.documents import Documents
from bitdust.surroundings import Connected
from bitdust.testing.world import START
from bitdust.wire.packet import Command
from tests.unit.test_transport import TwoPeople
from tests.unit.transport_kit import Person, third

ADDED = Device(7, 2, b"n" * 32)


class DocumentsCase(TwoPeople):
    def setUp(self) -> None:
        super().setUp()
        for person in (self.alice, self.bob):
            self.begin(person)
        self.bob.serve()

    def begin(self, person: Person) -> None:
        around = Connected.of(person.around, person.gateway, person.gateway.outbox)
        documents = Documents(around)
        person.gateway.inbox.add(documents.row())
        documents.start()
        self.addCleanup(documents.stop)

    def newer(self, *devices: Device, revision: int = 0, wall: float = START) -> IdentityDocument:
        """Alice's document with more devices, as another device of hers may have made it."""
        document = self.alice.me.document
        revision = revision or document.revision + 1
        return IdentityDocument.create(
            self.alice.me.master, document.sources, revision, (*document.devices, *devices), wall
        )

    def bobs_session(self):
        return self.bob.gateway.session_with(self.alice.fingerprint)


class ShownTests(DocumentsCase):
    def test_an_old_document_is_replaced(self) -> None:
        """Who shows an older document is given the newer one, and asks what it likes a moment later."""
        newer = self.newer(ADDED)
        self.bob.cache.accept(newer)
        self.session()
        self.run_for(0.5)
        self.assertEqual((self.alice.me.document, self.bobs_session().stale), (newer, False))
        self.wait(self.ask())

    def test_a_newer_document_that_comes_later(self) -> None:
        """A session that was good when it began follows documents that come while it lasts, both ways."""
        self.session()
        self.run_for(0.5)
        self.bob.cache.accept(self.newer(ADDED))
        self.run_for(0.5)
        self.assertIn(ADDED, self.alice.me.document.devices)
        self.alice.me.replace_document(self.alice.me.revise())
        self.run_for(0.5)
        self.assertEqual(self.bobs_session().peer.document, self.alice.me.document)

    def test_a_change_in_the_middle_of_a_hello(self) -> None:
        """A document that changes while a session comes about is shown on it."""
        dialling = self.alice.gateway.session_to(self.bob.fingerprint)
        while self.alice.gateway.sessions() or not self.alice.gateway._sessions._unproven:
            self.clock.advance(0.001)
        (session,) = self.alice.gateway._sessions._unproven
        while not session.told:
            self.clock.advance(0.001)
        self.alice.me.replace_document(self.alice.me.revise())
        self.wait(dialling)
        self.run_for(0.5)
        self.assertEqual(self.bob.cache.get(self.alice.fingerprint), self.alice.me.document)

    def test_another_document_of_my_revision(self) -> None:
        """Two documents of one revision with different devices become the next one, and everybody has it."""
        fork = self.newer(ADDED, wall=START - 50)
        self.alice.me.replace_document(self.newer(Device(7, 2, b"m" * 32)))
        self.bob.cache.accept(fork)
        self.session()
        self.run_for(0.5)
        document = self.alice.me.document
        self.assertEqual((document.revision, len(document.devices)), (fork.revision + 1, 3))
        self.assertEqual(self.bob.cache.get(self.alice.fingerprint), document)
        self.wait(self.ask())

    def test_the_same_devices_in_two_documents(self) -> None:
        """Where both name the same devices nobody makes a revision: one of the two goes before the other."""
        for wall in (START - 50, START + 50):
            fork = self.newer(revision=self.alice.me.document.revision, wall=wall)
            best = min(fork, self.alice.me.document, key=lambda document: document.canonical)
            self.bob.cache.accept(fork)
            self.session()
            self.run_for(0.5)
            self.assertEqual((self.alice.me.document, self.bob.cache.get(self.alice.fingerprint)), (best, best))
            self.assertFalse(self.bobs_session().stale)
            self.session().close("stopping", "again")
            self.run_for(0.5)

    def test_a_revoked_device(self) -> None:
        """A session ends when a document comes that revokes its device."""
        self.session()
        self.run_for(0.5)
        mine = evolve(self.alice.me.document.devices[0], revoked=9, sequence=0)
        document = self.alice.me.document
        revoked = IdentityDocument.create(self.alice.me.master, document.sources, 9, (mine, ADDED), START)
        self.bob.cache.accept(revoked)
        self.run_for(0.5)
        self.assertEqual(self.bob.gateway.sessions(), [])


class OwnTests(DocumentsCase):
    def test_two_devices_of_mine_in_touch(self) -> None:
        """Devices of one owner that meet have one document, with both of them, at once."""
        other = self.person("master", "second")
        self.begin(other)
        key = DeviceKey.generate(os.urandom)
        other.me.adopt(self.newer(Device(1, 2, key.public)), other.me.master, key)
        self.wait(other.gateway.listen(0))
        self.wait(self.alice.gateway.dial(self.address(other), other.fingerprint))
        self.run_for(0.5)
        self.assertEqual(self.alice.me.document, other.me.document)
        self.assertEqual(len(self.alice.me.document.devices), 2)


class RefusedTests(DocumentsCase):
    def test_who_may_bring_what(self) -> None:
        """A document of somebody else is refused; so are a claim, an old one, and what is none. Nothing changes."""
        self.session()
        before = self.bob.me.document
        stranger = IdentityDocument.create(third(), before.sources, 1, before.devices, START)
        claim = IdentityDocument.create(self.alice.me.master, before.sources, 0, before.devices, START)
        for document, code in ((stranger.xml, "not-allowed"), (claim.xml, "not-allowed"), (b"x" * 300, "malformed")):
            self.assertEqual(self.refused(self.bring(document)).code, code)
        self.wait(self.bring(before.xml))
        self.assertIsNone(self.bob.cache.get(stranger.fingerprint))
        self.assertEqual(self.bob.me.document, before)

    def bring(self, xml: bytes):
        outbox = self.alice.gateway.outbox
        return outbox.send(self.bob.fingerprint, Command.IDENTITY, {"kind": "document"}, xml, deadline=5.0)
