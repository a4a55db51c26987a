"""Peer ids and multiaddrs, as clients of IPFS read and write them."""

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.ipfs.peerids import address_of, device_key, multiaddrs, my_id, my_key, my_multiaddrs, peer_id, read_peer
from bitdust.ipld.errors import FormatError
from bitdust.ipld.keys import PrivateKey, PublicKey
from bitdust.ipld.multiaddr import Multiaddr
from bitdust.ipld.peerid import PeerId

DEVICE = DeviceKey(bytes(range(32)))
ME = cast(Any, SimpleNamespace(device=DEVICE))
QM = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
WORDS = ("ip4", "1.2.3.4", "tcp", "1", "p2p", QM, "")


class PeerIdTests(SynchronousTestCase):
    def test_of_a_device(self) -> None:
        """A peer id holds the device key, begins as those of Ed25519 keys do, and signs as the device does."""
        peer = my_id(ME)
        self.assertTrue(str(peer).startswith("12D3Koo"), str(peer))
        self.assertEqual(device_key(peer), DEVICE.public)
        self.assertEqual(peer, peer_id(DEVICE.public))
        self.assertEqual(my_key(ME).sign(b"x"), DEVICE.sign(b"x"))
        self.assertTrue(peer.matches(my_key(ME).public))

    def test_of_others(self) -> None:
        """A peer id without an Ed25519 key inside is none of this network, and no key is made of other bytes."""
        self.assertEqual(self.assertRaises(FormatError, device_key, PeerId.parse(QM)).code, "unsupported")
        self.assertEqual(self.assertRaises(FormatError, PublicKey.of_ed25519, b"short").code, "malformed")
        self.assertEqual(self.assertRaises(FormatError, PrivateKey.of_ed25519, b"short").code, "malformed")

    def test_my_addresses(self) -> None:
        """Addresses of a node end with its peer id; what no multiaddr can say is left out."""
        peer = my_id(ME)
        found = my_multiaddrs(
            ME, ["tcp://192.0.2.1:7771", "tcp://[2001:db8::1]:1", "tcp://x.example:2", "odd", "ws://h:1"]
        )
        kinds = ["/ip4/192.0.2.1/tcp/7771", "/ip6/2001:db8::1/tcp/1", "/dns/x.example/tcp/2"]
        self.assertEqual(found, [f"{one}/p2p/{peer}" for one in kinds])
        for text in found:
            self.assertEqual(read_peer(text), peer)
        self.assertEqual(address_of(Multiaddr.parse(found[1])), "tcp://[2001:db8::1]:1")
        self.assertEqual([str(one) for one in multiaddrs(["tcp://h:1"])], ["/dns/h/tcp/1"])

    def test_texts_that_name_a_peer(self) -> None:
        """A peer is named by its id, by the CID of its key, and at the end of an address, old name or new."""
        peer = my_id(ME)
        for text in (str(peer), peer.base36, f"/p2p/{peer}", f"/ip4/127.0.0.1/tcp/1/ipfs/{peer}", f"/ipfs/{peer}/"):
            self.assertEqual(read_peer(text), peer)
        self.assertEqual(self.assertRaises(FormatError, read_peer, "/ip4/127.0.0.1/tcp/1").code, "malformed")


class MultiaddrTests(SynchronousTestCase):
    def test_refused(self) -> None:
        """What names no host, port and peer in this order is refused with a code."""
        for text, code in (
            ("ip4/1.2.3.4/tcp/1", "malformed"),
            ("/ip4/1.2.3.4/tcp", "malformed"),
            ("/ip4/1.2.3/tcp/1", "malformed"),
            ("/ip6/1.2.3.4/tcp/1", "malformed"),
            ("/dns4//tcp/1", "malformed"),
            ("/ip4/1.2.3.4/tcp/65536", "malformed"),
            ("/ip4/1.2.3.4/tcp/0", "malformed"),
            ("/tcp/1", "unsupported"),
            ("/ip4/1.2.3.4/ip4/1.2.3.4", "unsupported"),
            (f"/p2p/{QM}/p2p/{QM}", "unsupported"),
            (f"/p2p/{QM}/ip4/1.2.3.4", "unsupported"),
            ("/unix/tmp", "unsupported"),
            ("/" * 2000, "too-large"),
        ):
            self.assertEqual(self.assertRaises(FormatError, Multiaddr.parse, text).code, code, text)
        self.assertEqual(
            self.assertRaises(FormatError, address_of, Multiaddr.parse("/ip4/1.2.3.4/udp/1")).code, "unsupported"
        )

    @given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS)).map("/".join))
    @settings(max_examples=60, deadline=None)
    def test_any_text(self, text: str) -> None:
        """Any text is refused as one that is malformed, or means what it says when it is written again."""
        try:
            found = Multiaddr.parse(text)
        except FormatError:
            return
        self.assertEqual(Multiaddr.parse(str(found)), found)
