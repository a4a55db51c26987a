"""Networks: definitions that strangers wrote, a home for each, and the one in use."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.config.networks import KNOWN_NODES, KNOWN_SERVERS, Networks, base_of, parse_definition
from bitdust.config.settings import Settings
from bitdust.config.types import SettingError

GOOD = {
    "name": "village",
    "label": "The village",
    "maintainer": "Vera",
    "contact_email": "vera@example.org",
    "service_entangled_dht": {"bucket_size": 4, "known_nodes": [{"host": "seed.example", "udp_port": 14441}]},
    "service_identity_propagate": {"known_servers": [{"host": "id.example", "http_port": 8084}, {"host": "b.example"}]},
}


def written(**changes: object) -> bytes:
    return json.dumps(GOOD | changes).encode()


class DefinitionTests(SynchronousTestCase):
    def test_good(self) -> None:
        """Names and hosts are read, with the documented ports where none is given."""
        found = parse_definition(written())
        self.assertEqual((found.name, found.label, found.maintainer), ("village", "The village", "Vera"))
        self.assertEqual(found.known_nodes, ("seed.example:14441",))
        self.assertEqual(found.known_servers, ("id.example:8084", "b.example:80"))

    def test_six(self) -> None:
        """An IPv6 host may be written with brackets and without; with its port it gets them."""
        nodes = [{"host": "2001:DB8::1", "udp_port": 9}, {"host": "[::1]"}]
        found = parse_definition(written(service_entangled_dht={"known_nodes": nodes}))
        self.assertEqual(found.known_nodes, ("[2001:db8::1]:9", "[::1]:14441"))
        for host in ("1:2", "[1:2", "[name]", "::1]", "fe80::1%eth0", "[]", "a..b"):
            with self.assertRaises(SettingError, msg=host):
                parse_definition(written(service_entangled_dht={"known_nodes": [{"host": host}]}))

    def test_bad(self) -> None:
        """Whatever is wrong gets the one code and a sentence that names it."""
        wrong = [
            (b"{", "JSON"), (b"[]", "object"), (b" " * 60_000, "50000"), (b"[" * 20_000, "JSON"),
            (written(name=""), "name"), (written(name="default"), "default"), (written(name="../up"), "name"),
            (written(label="a\nb"), "label"), (written(label=None), "label"), (written(maintainer=" "), "maintainer"),
            (written(service_entangled_dht=[]), "known_nodes"),
            (written(service_entangled_dht={"known_nodes": ["seed.example"]}), "known_nodes"),
            (written(service_entangled_dht={"known_nodes": [{"host": "a b"}]}), "host"),
            (written(service_entangled_dht={"known_nodes": [{"host": "a", "udp_port": True}]}), "port"),
            (written(service_entangled_dht={"known_nodes": [{"host": "a", "udp_port": 70_000}]}), "port"),
            (written(service_identity_propagate={"known_servers": [{"host": "a"}] * 101}), "known_servers"),
        ]  # fmt: skip
        for data, word in wrong:
            error = self.assertRaises(SettingError, parse_definition, data)
            self.assertEqual(error.code, "bad-network", data[:60])
            self.assertIn(word, str(error))

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=200) | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from(["name", "label", "maintainer", "service_entangled_dht", "known_nodes", "host"]), inner,
        ), max_leaves=12).map(lambda value: json.dumps(value).encode()))  # fmt: skip
    def test_anything(self, data: bytes) -> None:
        """No bytes make anything else than a definition or that error."""
        try:
            parse_definition(data)
        except SettingError as error:
            self.assertEqual(error.code, "bad-network")


class NetworksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(self.mktemp()).absolute()
        self.networks = Networks(self.base)

    def test_only_the_default(self) -> None:
        """A home that knows no other network is the home of the default one."""
        self.assertEqual((self.networks.current, self.networks.names()), ("default", ["default"]))
        self.assertEqual(self.networks.home(), self.base)
        self.assertEqual(base_of(self.base), self.base)

    def test_life(self) -> None:
        """A network gets a private home with its hosts, the API's place and secret; selecting goes there and back."""
        Settings(self.base / "config").set("interface/api/rest-http-port", 9001)
        Settings(self.base / "config").set("services/customer/suppliers-number", "7")
        (self.base / "apisecret").write_text("secret")
        self.networks.create(written())
        self.assertEqual(self.networks.current, "default")
        self.networks.select("village")
        home = self.networks.home()
        self.assertEqual((home, base_of(home)), (self.base / "networks" / "village", self.base))
        self.assertEqual(home.stat().st_mode & 0o777, 0o700)
        self.assertEqual(
            ((home / "apisecret").read_text(), (home / "apisecret").stat().st_mode & 0o777), ("secret", 0o600)
        )
        new = Settings(home / "config")
        self.assertEqual(new.get("interface/api/rest-http-port"), 9001)
        self.assertTrue(new.is_default("services/customer/suppliers-number"))
        self.assertEqual(
            (new.get(KNOWN_NODES), new.get(KNOWN_SERVERS)), ("seed.example:14441", "id.example:8084,b.example:80")
        )
        self.assertEqual(self.networks.definition("village").label, "The village")
        self.networks.select("default")
        self.assertEqual(self.networks.home(), self.base)

    def test_refusals(self) -> None:
        """A known name is not made again, an unknown one is not selected, and what is used stays as it was."""
        self.networks.create(written())
        self.assertEqual(self.assertRaises(SettingError, self.networks.create, written()).code, "exists")
        for name in ("town", "../..", "", "village/../village"):
            self.assertEqual(self.assertRaises(SettingError, self.networks.select, name).code, "not-found")
        self.assertEqual(self.networks.current, "default")

    def test_leftovers(self) -> None:
        """What a crash left of a network that was being made is no network, and making it again works."""
        (self.base / "networks" / ".part-village" / "metadata").mkdir(parents=True)
        (self.base / "networks" / ".part-village" / "metadata" / "networkconfig").write_bytes(b"half")
        self.assertEqual(self.networks.names(), ["default"])
        self.networks.create(written())
        self.assertEqual(self.networks.names(), ["default", "village"])
        (self.base / "current_network").write_bytes(b"\xff gone")
        self.assertEqual(self.networks.current, "default")
