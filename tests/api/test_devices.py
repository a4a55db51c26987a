"""The devices of an identity: shown, revoked, and without the private key."""

import errno
from copy import copy
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, succeed

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyfile import KeyFile, lock_key
from bitdust.crypt.keyring import MASTER
from bitdust.identity import me as me_module
from bitdust.identity import ring_file as ring_module
from bitdust.identity.document import OPEN_END, Device
from bitdust.identity.me import Me
from bitdust.identity.revocation import LENT_FOR, Revocations
from tests.api.fakes import Anything
from tests.api.test_nouns import NounCase, master
from tests.keys import cheap_passphrases

OTHER = DeviceKey.from_seed(b"o" * 32)
LENGTH = 7


class DevicesCase(NounCase):
    """alice has another device, of whose log seven entries are known."""

    def setUp(self) -> None:
        super().setUp()
        self.become_alice()
        self.me = self.context.me
        self.me.replace_document(self.me.revise(devices=(*self.me.document.devices, Device(1, 2, OTHER.public))))
        self.revocations = self.context.revocations = Revocations(self.context.world, self.context.events, self.me)
        self.syncs: list[int] = []
        self.stored: dict[bytes, tuple[float, float]] = {}
        catalog = Anything(is_open=True, read_in_thread=lambda call: succeed(self.stored))
        self.context.storage = Anything(is_open=True, sync=self.sync, core=Anything(catalog=catalog))
        self.length: int | None = None
        self.known: int | None = None
        self.revocations.logs = Anything(length=self.length_of)

    def length_of(self, device: bytes, is_patient: bool = True) -> int | None:
        return self.length if is_patient else self.known

    def sync(self) -> "Deferred[None]":
        self.syncs.append(1)
        return succeed(None)

    def states(self) -> list[tuple[object, ...]]:
        rows = self.result("identity_devices")
        return [(row["number"], row["state"], row["entries"], row["this_device"]) for row in rows]


class DevicesTests(DevicesCase):
    def test_what_there_is(self) -> None:
        """Both count, and one of them is this one."""
        self.assertEqual(self.states(), [(0, "counts", None, True), (1, "counts", None, False)])

    def test_when_each_has_stored_something(self) -> None:
        """So a person knows which one is which; null for one that never has, and while the catalog is closed."""
        self.stored[OTHER.id] = (1_800_000_000.0, 1_800_000_100.0)
        times = lambda: [(row["stored_first"], row["stored_last"]) for row in self.result("identity_devices")]  # noqa: E731
        self.assertEqual(times(), [(None, None), (1_800_000_000.0, 1_800_000_100.0)])
        self.context.storage.is_open = False
        self.assertEqual(times(), [(None, None)] * 2)

    def test_the_other_one_is_revoked(self) -> None:
        """By its id too: all that it wrote counts until that is compared, which is asked for; then so much of it."""
        self.assertEqual(self.call("identity_device_revoke", device=OTHER.id.hex())["result"][1]["revoked"], 3)
        self.assertEqual((self.states()[1], self.syncs), ((1, "revoked", None, False), [1]))
        self.assertEqual(self.me.document.devices[1].sequence, OPEN_END)
        self.revocations.settle()
        self.assertEqual(self.me.document.revision, 3)
        self.length = LENGTH
        self.revocations.settle()
        self.assertEqual(self.states()[1], (1, "revoked", LENGTH, False))
        self.length = LENGTH + 1
        self.revocations.settle()
        self.result("identity_device_revoke", device="1")
        self.assertEqual((self.states()[1], self.me.document.revision), ((1, "revoked", LENGTH, False), 4))

    def test_an_end_on_the_persons_word(self) -> None:
        """What is known of a revoked device counts, and no more; not of one that is not revoked, nor before anything is
        known, nor twice."""
        ended = {"device": "1", "end_now": True}
        self.assertEqual(self.code("identity_device_revoke", **ended), "not-allowed")
        self.result("identity_device_revoke", device="1")
        self.assertEqual(self.code("identity_device_revoke", **ended), "not-ready")
        self.known = LENGTH
        self.result("identity_device_revoke", **ended)
        self.assertEqual(self.states()[1], (1, "revoked", LENGTH, False))
        self.assertEqual(self.code("identity_device_revoke", **ended), "not-allowed")

    def test_a_revocation_that_is_cut_off(self) -> None:
        """Whichever write fails, a revoked device has none of the secrets that seal from then on; the person says it
        again."""
        ring = self.me.key_ring
        stolen = ring.current(MASTER)
        for module, name in ((ring_module, "keyring"), (me_module, "localidentity")):
            with mock.patch.object(module, "write_safely", side_effect=OSError(errno.ENOSPC, name)):
                self.assertNotEqual(self.call("identity_device_revoke", device="1")["status"], "OK")
            self.assertEqual(self.states()[1][1], "counts", name)
            again = Me(self.context.world, self.context.events)
            again.load()
            self.assertEqual((again.document, again.key_ring.to_bytes()), (self.me.document, ring.to_bytes()))
        self.result("identity_device_revoke", device="1")
        self.assertEqual(self.states()[1][1], "revoked")
        self.assertNotIn(stolen, ring.get(MASTER).usable)

    def test_one_that_was_let_go(self) -> None:
        """A former device is distrusted from now on; nobody forgets that who joins an older document."""
        before = self.me.document
        self.me.replace_document(self.me.revise(devices=before.devices[:1]))
        self.assertEqual(self.states()[1], (1, "former", None, False))
        self.result("identity_device_revoke", device="1")
        (gone,) = self.me.document.former
        self.assertEqual((gone.sequence, gone.was_let_go), (OPEN_END, False))

    def test_refusals(self) -> None:
        """Neither this very device nor one that there is not."""
        self.assertEqual(self.code("identity_device_revoke", device="0"), "not-allowed")
        self.assertEqual(self.code("identity_device_revoke", device="2"), "not-found")
        self.assertEqual(self.me.document.revision, 2)


class DetachTests(DevicesCase):
    """The private key goes into the key file alone, and comes back for what needs it."""

    def setUp(self) -> None:
        super().setUp()
        self.file = Path(self.mktemp()).absolute()
        self.file.write_text(KeyFile(self.me.document.sources, self.me.master).write())

    def detach(self, path: Path, **more: str) -> str:
        return str(self.call("identity_detach", source_filepath=str(path), **more).get("code", "OK"))

    def test_only_with_a_good_key_file(self) -> None:
        """One that is not there, is in the home, or is of another identity, changes nothing; nor does a locked home."""
        cheap_passphrases(self)
        inside, wrong = self.context.world.home.absolute() / "alice.key", Path(self.mktemp()).absolute()
        inside.write_text(self.file.read_text())
        wrong.write_text(KeyFile(self.me.document.sources, master("mallory")).write())
        for path, code in ((inside, "bad-path"), (self.file.with_name("none"), "bad-path"), (wrong, "wrong-key")):
            self.assertEqual(self.detach(path), code)
        self.me.keep_locked(lock_key(self.me.master.to_pem(), b"passphrase"))
        self.assertEqual(self.detach(self.file), "not-allowed")
        self.me.keep_open()
        self.assertIsNotNone(self.me.held_master)
        self.assertEqual([self.detach(self.file), self.detach(self.file)], ["OK", "OK"])
        self.assertIsNone(self.me.held_master)

    def test_how_long_it_is_lent(self) -> None:
        """It goes after three days, which is told with what is open then, and a later revocation has as long; one
        attached stays."""
        self.detach(self.file)
        text, clock = self.file.read_text(), self.context.world.clock
        self.result("identity_device_revoke", device="1", private_key_source=text)
        clock.advance(LENT_FOR - 1)
        self.result("identity_device_revoke", device="1", private_key_source=text)
        clock.advance(LENT_FOR - 1)
        self.assertIsNotNone(self.me.held_master)
        self.assertEqual(self.told(), [])
        clock.advance(1)
        self.assertEqual((self.me.held_master, self.states()[1][:2]), (None, (1, "revoked")))
        self.assertEqual(self.told(), [{"open": [1]}])
        self.result("identity_device_revoke", device="1", private_key_source=text)
        self.me.hold(None)
        self.result("identity_device_revoke", device="1", private_key_source=text)
        self.me.attach(copy(self.me.master))
        clock.advance(LENT_FOR)
        self.assertIsNotNone(self.me.held_master)
        self.assertEqual(len(self.told()), 1)

    def told(self) -> list[dict[str, Any]]:
        """What a person hears of a key that went before its work was done."""
        return [event.data for event in self.context.events.since(0) if event.id == "lent-key-returned"]

    def test_what_needs_it(self) -> None:
        """A revocation takes the key file, and keeps the key until it is known how much counts; others say so."""
        self.detach(self.file)
        text = self.file.read_text()
        self.assertEqual(self.code("identity_device_revoke", device="1"), "key-needed")
        self.assertEqual(self.code("identity_device_revoke", device="9", private_key_source=text), "not-found")
        self.result("identity_device_revoke", device="1", private_key_source=text)
        self.assertIsNotNone(self.me.held_master)
        self.length = LENGTH
        self.revocations.settle()
        self.assertEqual((self.states()[1][2], self.me.held_master), (LENGTH, None))
        self.revocations.settle()
        self.result("identity_attach", private_key_source=text)
        self.assertEqual([path.name for path in (self.context.world.home / "metadata").glob("mykey*")], [])
        self.result("identity_attach", private_key_source=text, permanently=True)
        self.assertEqual(self.detach(self.file), "OK")
