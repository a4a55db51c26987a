"""A home without the RSA key: it works with its device key, and asks for the key file for what needs the RSA key."""

import os

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.boxes import MAX_DEVICES, open_box, open_from, seal_for, seal_to
from bitdust.crypt.device import DeviceKey, check_certificate
from bitdust.crypt.keyring import MASTER
from bitdust.identity import me as me_module
from bitdust.identity.document import Device
from bitdust.identity.joining import join
from bitdust.identity.me import Me
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from tests.unit.test_crypt import code_of
from tests.unit.test_identity import GOOD, HomeCase
from tests.vectors.keys import device, master

OTHER = DeviceKey.from_seed(b"o" * 32)


class BoxTests(SynchronousTestCase):
    def test_who_opens_it(self) -> None:
        """Each device that is named, and the RSA key; nobody else, and a device needs no RSA key."""
        box = seal_for(master().public, [device().public, OTHER.public], b"ring")
        stranger = DeviceKey.generate(os.urandom)
        for key, rsa in ((device(), None), (OTHER, None), (stranger, master())):
            self.assertEqual(open_box(box, key, rsa), b"ring")
        self.assertEqual(code_of(self, open_box, box, stranger, None), "key-needed")
        self.assertRaises(WireError, open_box, box, stranger, master("other"))

    def test_as_many_devices_as_there_may_be(self) -> None:
        """A box for all devices that a person can have is opened by each of them."""
        devices = [DeviceKey.from_seed(bytes([number]) * 32) for number in range(MAX_DEVICES)]
        box = seal_for(master().public, [one.public for one in devices], b"ring")
        self.assertEqual([open_box(box, one, None) for one in devices], [b"ring"] * MAX_DEVICES)
        self.assertEqual(open_box(box, OTHER, master()), b"ring")

    def test_a_box_for_a_key(self) -> None:
        """What is sealed to one Ed25519 key is opened by that alone; one that was changed or cut is not."""
        box = seal_to(device().public, b"offer")
        self.assertEqual(open_from(box, device()), b"offer")
        self.assertNotEqual(box, seal_to(device().public, b"offer"))
        self.assertRaises(WireError, open_from, box, OTHER)
        for bad in (box[:-1], box[:40], b"", bytes(32) + box[32:], box[:-1] + bytes([box[-1] ^ 1])):
            self.assertRaises(WireError, open_from, bad, device())

    def test_boxes_of_before(self) -> None:
        """One that was sealed to the RSA key alone is opened by that."""
        box = master().public.seal(b"ring")
        self.assertEqual(open_box(box, device(), master()), b"ring")
        self.assertEqual(code_of(self, open_box, box, device(), None), "key-needed")

    def test_spoiled_boxes(self) -> None:
        """One in which anything was changed, or that was cut off, opens nowhere."""
        box = seal_for(master().public, [device().public], b"ring")
        for place in (0, 5, len(box) // 2, len(box) - 20, len(box) - 1):
            spoiled = box[:place] + bytes([box[place] ^ 1]) + box[place + 1 :]
            self.assertRaises(WireError, self.opens_for_all, spoiled)
            self.assertRaises(WireError, open_box, box[:place], device(), None)

    def opens_for_all(self, box: bytes) -> None:
        for rsa in (None, master()):
            stranger = device() if rsa is None else OTHER
            open_box(box, stranger, rsa)


class DetachedTests(HomeCase):
    def setUp(self) -> None:
        super().setUp()
        self.me = Me(self.world, self.events)
        self.folder = self.home / "metadata"
        self.me.adopt(GOOD, master(), device())
        self.me.detach()

    def again(self) -> Me:
        me = Me(self.world, self.events)
        me.load()
        return me

    def test_it_goes_on(self) -> None:
        """After a restart too: it signs, has its certificate and its ring, and there is no private key in the home."""
        self.assertFalse((self.folder / "mykeyfile").exists())
        for me in (self.me, self.again()):
            self.assertTrue(me.present)
            check_certificate(me.certificate, master().public.spki)
            me.sign("head", b"body")
            me.key_ring.renew_secrets(os.urandom, 0)
            me.save_key_ring()
            self.assertEqual(self.again().key_ring.current(MASTER), me.key_ring.current(MASTER))

    def test_what_needs_the_key_says_so(self) -> None:
        """With one code and what to do; once it is at hand all of it works, and the home stays without it."""
        for ask in (self.me.revise, self.me.renew_device, lambda: self.me.master):
            error = self.assertRaises(BitDustError, ask)
            self.assertEqual(error.code, "key-needed")
            self.assertIn("bitdust identity attach", str(error))
        self.me.hold(master())
        document = self.me.renew_device()
        self.me.hold(None)
        me = self.again()
        self.assertEqual((me.document, me.held_master), (document, None))
        self.assertEqual((me.certificate.key, me.device.public), (self.me.device.public,) * 2)
        self.assertEqual(me.key_ring.current(MASTER), self.me.key_ring.current(MASTER))

    def test_a_crash_while_it_detaches(self) -> None:
        """Whichever step fails, the home can be read: with the key, or without it."""
        real_write, real_remove = me_module.write_safely, me_module.remove_safely

        def fails(*_: object) -> None:
            raise OSError("disk")

        self.me.attach(master())
        for name, real in (("write_safely", real_write), ("remove_safely", real_remove)):
            self.patch(me_module, name, fails)
            self.assertRaises(OSError, self.me.detach)
            self.patch(me_module, name, real)
            self.assertIsNotNone(self.again().held_master)
        (self.folder / "mykeyfile").unlink()
        self.assertIsNone(self.again().held_master)

    def test_a_document_that_another_device_made(self) -> None:
        """It is taken where it goes before mine and names this device; nothing is joined without the key."""
        other = Me(self.world, self.events)
        other._document, other._master = self.me.document, master()
        newer = other.revise(devices=(*self.me.document.devices, Device(5, 4, OTHER.public)))
        self.assertFalse(join(self.me, newer))
        self.assertEqual(self.me.document, newer)
        without = other.revise(revision=9, devices=(Device(5, 4, OTHER.public),))
        self.assertFalse(join(self.me, without))
        self.assertEqual(self.again().document, newer)

    def test_a_certificate_of_somebody_else(self) -> None:
        """It is named as damaged, and nothing is changed."""
        (self.folder / "certificate").write_bytes(b"no certificate")
        error = self.assertRaises(BitDustError, self.again)
        self.assertEqual(error.code, "broken-identity")
        self.assertIn("certificate", str(error))
