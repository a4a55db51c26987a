"""Hosts and ports as people and peers write them, IPv6 included."""

import socket
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust import world
from bitdust.dht import seeds as seeds_module
from bitdust.dht.seeds import parse_seeds, resolve, seed_contacts
from bitdust.wire.addresses import Address, host_of, join_host, one_host, split_host
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.world import interface_addresses, local_addresses

HOSTS = {
    "example.org": "example.org", "Seed.Example": "seed.example", "192.0.2.1": "192.0.2.1", "::1": "::1",
    "2001:DB8:0:0::1": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1", "FE80::1": "fe80::1",
}  # fmt: skip


class AddressTests(SynchronousTestCase):
    def test_one_spelling(self) -> None:
        """A host is written in one way: small letters, IPv6 in short, wrapped IPv4 unwrapped."""
        for written, one in HOSTS.items():
            self.assertEqual(one_host(written), one)
            brackets = f"[{written}]" if ":" in written else written
            self.assertEqual(split_host(f"{brackets}:7771"), (one, 7771))

    def test_there_and_back(self) -> None:
        """What is written as an address is read as the same address."""
        for host in HOSTS.values():
            address = Address("tcp", host, 65535)
            self.assertEqual(Address.parse(str(address)), address)
        self.assertEqual(str(Address("tcp", "::1", 7771)), "tcp://[::1]:7771")
        self.assertEqual(join_host("seed.example", 80), "seed.example:80")

    def test_no_addresses(self) -> None:
        """IPv6 without brackets, zones, brackets around names, and all that has no port or scheme are refused."""
        for text in ("::1:7771", "[::1]7771", "[::1]", "[::1:7771", "[fe80::1%eth0]:7", "[example.org]:7", "a b:0",
                     "[192.0.2.1]:7", " a:7", "a b:7", "a\0b:7", "a\nb:7", "\x7f:7",
                     "a@b:7", "host:0", "host:65536", "host:07", "[]:7", "[:]:7"):  # fmt: skip
            self.assertEqual(self.assertRaises(WireError, split_host, text).code, "bad-address", text)
        for text in ("", "tcp://", "tcp://host", "tcp://host:", "tcp://:77", "tcp://host:0", "tcp://host:65536",
                     "host:77", "tcp://host:-1", "tcp://host:7x", "tcp://host:²", "tcp://host:٣", "://host:7",
                     "tcp://host:" + "9" * 5000, "tcp://a..b:7", f"tcp://{'a' * 64}.org:7", "TCP://host:7",
                     "1tcp://host:7", "tcp:/host:7", "tcp://::1:7"):  # fmt: skip
            self.assertEqual(self.assertRaises(WireError, Address.parse, text).code, "bad-address", text)

    def test_the_host_alone(self) -> None:
        """The host of an address, with or without scheme; nothing of what is none."""
        for text in ("tcp://[2001:db8::1]:7", "[2001:DB8::1]:9"):
            self.assertEqual(host_of(text), "2001:db8::1")
        self.assertEqual((host_of("seed.example:1"), host_of("seed.example"), host_of("")), ("seed.example", "", ""))

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=60) | st.text(alphabet="tcp:/[]0123456789abf²١%", max_size=40))
    def test_any_text(self, text: str) -> None:
        """Any text is an address that reads back the same, or a `WireError`."""
        try:
            host, port = split_host(text)
        except WireError as error:
            self.assertEqual(error.code, "bad-address")
        else:
            self.assertEqual(split_host(join_host(host, port)), (host, port))


class SeedTests(SynchronousTestCase):
    def test_seeds(self) -> None:
        """Names, IPv4 and IPv6 with either separator; the word genesis and gaps stand for nobody."""
        text = "seed.example:14441, [2001:DB8::1]:9; 192.0.2.1:1,,genesis"
        self.assertEqual(parse_seeds(text), [("seed.example", 14441), ("2001:db8::1", 9), ("192.0.2.1", 1)])
        self.assertEqual(parse_seeds("genesis"), [])

    def test_no_seeds(self) -> None:
        """What is no address is refused with its code and named."""
        for text in ("seed.example", "seed.example:x", "::1:9", "[::1]:", "seed.example:70000"):
            error = self.assertRaises(BitDustError, parse_seeds, f"one.example:1,{text}")
            self.assertEqual(error.code, "bad-value")
            self.assertIn(text, str(error))

    def test_contacts(self) -> None:
        """Addresses are contacts at once; names are looked up in a thread."""
        asked: list = []

        def in_thread(call, *args) -> Deferred:
            asked.append(args)
            return succeed([("2001:db8::7", 3)])

        plain = self.successResultOf(seed_contacts([("::1", 1), ("192.0.2.1", 2)], in_thread))
        self.assertEqual([contact.address for contact in plain], [("::1", 1), ("192.0.2.1", 2)])
        self.assertEqual(asked, [])
        both = self.successResultOf(seed_contacts([("::1", 1), ("seed.example", 3)], in_thread))
        self.assertEqual([contact.address for contact in both], [("::1", 1), ("2001:db8::7", 3)])
        self.assertEqual(asked, [([("seed.example", 3)],)])

    def test_both_families_of_a_name(self) -> None:
        """Of a name with both families one address of each is tried, else two; one that is not known is left out."""
        known = {"both": ["192.0.2.1", "192.0.2.2", "2001:db8::1"], "old": ["192.0.2.1", "192.0.2.1", "192.0.2.2"]}

        def getaddrinfo(host: str, port: int, type: int) -> list:
            if host not in known:
                raise OSError("not known")
            return [(0, 0, 0, "", (address, port)) for address in known[host]]

        self.patch(seeds_module.socket, "getaddrinfo", getaddrinfo)
        found = self.successResultOf(maybeDeferred(resolve, [("none", 1), ("both", 2), ("old", 3)]))
        self.assertEqual(found, [("192.0.2.1", 2), ("2001:db8::1", 2), ("192.0.2.1", 3), ("192.0.2.2", 3)])


class LocalAddressesTests(SynchronousTestCase):
    def test_both_families(self) -> None:
        """A host with routes for both families names one address of each, IPv4 first; one without any, loopback."""

        class Probe:
            routes = ("198.51.100.1", "2001:db8::1")

            def __init__(self, family: int, kind: int) -> None:
                self.family = family

            def __enter__(self):
                return self

            def __exit__(self, *error: object) -> None:
                pass

            def connect(self, address: tuple[str, int]) -> None:
                if address[0] not in self.routes:
                    raise OSError("no route")

            def getsockname(self) -> tuple[str, int]:
                return ("192.0.2.7" if self.family == socket.AF_INET else "2001:db8::7"), 9

        self.patch(world.socket, "socket", Probe)
        self.assertEqual(local_addresses(), ["192.0.2.7", "2001:db8::7"])
        Probe.routes = ("2001:db8::1",)
        self.assertEqual(local_addresses(), ["2001:db8::7"])
        Probe.routes = ()
        self.patch(world, "interface_addresses", list)
        self.assertEqual(local_addresses(), ["127.0.0.1"])
        self.patch(world, "interface_addresses", lambda: ["192.0.2.8"])
        self.assertEqual(local_addresses(), ["192.0.2.8"])

    def test_interfaces_without_a_route(self) -> None:
        """What the interfaces have is named, IPv4 first: no loopback, no IPv6 of the link alone, none where none is."""
        addresses = {b"lo": "127.0.0.1", b"eth0": "192.0.2.9"}

        def ioctl(_: object, request: int, interface: bytes) -> bytes:
            name = interface.rstrip(b"\0")
            if name not in addresses:
                raise OSError("no address")
            return bytes(20) + socket.inet_aton(addresses[name]) + bytes(8)

        self.patch(world.fcntl, "ioctl", ioctl)
        self.patch(world.socket, "if_nameindex", lambda: [(1, "lo"), (2, "eth0"), (3, "wlan0")])
        rows = Path(self.mktemp())
        rows.write_text(
            "00000000000000000000000000000001 01 80 10 80       lo\n"
            "fe800000000000000000000000000005 02 40 20 80     eth0\n"
            "20010db8000000000000000000000005 02 40 00 80     eth0\n"
        )
        self.patch(world, "IPV6_INTERFACES", rows)
        self.assertEqual(interface_addresses(), ["192.0.2.9", "2001:db8::5"])
        self.patch(world, "IPV6_INTERFACES", rows.with_name("none"))
        self.assertEqual(interface_addresses(), ["192.0.2.9"])
