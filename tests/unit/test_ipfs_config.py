"""A node as clients of IPFS see it: who it is, its settings by their names, its logs, and its end."""

import base64
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.ipfs.config import ENTRIES
from bitdust.ipfs.peerids import my_id, peer_id
from bitdust.ipld.keys import PublicKey
from bitdust.ipld.peerid import PeerId
from bitdust.web.ipfs.calls import Calls
from tests.unit.ipfs_node_kit import NodeCase
from tests.vectors.keys import device


class IdTests(NodeCase):
    def test_own(self) -> None:
        """The id is that of the device, with its key, and all places where it is reached."""
        self.be_somebody()
        row = self.rpc("id")
        peer = my_id(self.around.me)
        self.assertEqual(row["ID"], str(peer))
        self.assertEqual(PublicKey.decode(base64.b64decode(row["PublicKey"])).data, device().public)
        self.assertEqual(row["Addresses"][0], f"/ip4/192.0.2.1/tcp/7771/p2p/{peer}")
        self.assertEqual(row["Addresses"][1], f"/ip6/2001:db8::1/tcp/7771/p2p/{peer}")
        self.assertEqual((row["ProtocolVersion"], row["Protocols"]), ("ipfs/0.1.0", []))
        self.assertEqual(self.rpc("id", str(peer)), row)
        self.assertEqual(self.rpc("id", f"/p2p/{peer}"), row)
        self.assertEqual(self.rpc("id", **{"peerid-base": "base36"})["ID"], peer.base36)

    def test_nobody(self) -> None:
        """Without an identity a node has an id of its own, which stays, and no place."""
        row = self.rpc("id")
        self.assertEqual((row["Addresses"], self.rpc("id")), ([], row))
        self.assertEqual(row["ID"], self.rpc("key/list")["Keys"][0]["Id"])

    def test_others(self) -> None:
        """Of somebody else it tells the key, and where that device is said to be; of a stranger nothing."""
        public, fingerprint = bytes(range(32)), b"f" * 32
        known = SimpleNamespace(
            valid_device=lambda key: key == public,
            devices=[SimpleNamespace(id=b"d" * 8, key=public)],
            fingerprint=fingerprint,
        )
        self.around.identities.all = lambda: [known]
        self.table.addresses = ["tcp://192.0.2.7:7771"]
        peer = peer_id(device().public)
        self.assertEqual(self.rpc_fails("no-peer", "id", str(peer)), "routing: not found")
        public = device().public
        known.devices[0].key = public
        row = self.rpc("id", str(peer))
        self.assertEqual(self.table.asked, [(fingerprint, b"d" * 8)])
        self.assertEqual(row["Addresses"], [f"/ip4/192.0.2.7/tcp/7771/p2p/{peer}"])
        self.assertEqual(row["AgentVersion"], "")
        self.assertIn("invalid peer id", self.rpc_fails("bad-call", "id", "what"))
        self.assertIn("routing", self.rpc_fails("no-peer", "id", "QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ"))


class ConfigTests(NodeCase):
    def value(self, name: str) -> Any:
        row = self.rpc("config", name)
        self.assertEqual(row["Key"], name)
        return row["Value"]

    def test_shown(self) -> None:
        """All of it is shown as a tree, without a private key; a name gives one value, or all below it."""
        whole = self.rpc("config/show")
        self.assertEqual(set(whole["Identity"]), {"PeerID"})
        PeerId.parse(whole["Identity"]["PeerID"])
        self.assertEqual(self.value("Datastore.StorageMax"), "10GB")
        self.assertEqual(self.value("Discovery"), {"MDNS": {"Enabled": False, "Interval": 10}})
        self.assertEqual(self.value("Ipns"), {"RepublishPeriod": "4h0m0s", "RecordLifetime": "24h0m0s"})
        self.assertEqual(self.value("Addresses.API"), "/ip4/127.0.0.1/tcp/5001")
        self.assertEqual(self.value("API.HTTPHeaders.Access-Control-Allow-Origin"), [])
        self.assertEqual(self.value("API.Authorizations"), {})
        self.credentials.add("carol", paths=("/api/v0/pin",))
        shown = self.value("API.Authorizations")
        self.assertEqual(shown, {"carol": {"AuthSecret": "bearer:***", "AllowedPaths": ["/api/v0/pin"]}})
        self.assertTrue(self.value("Gateway.NoFetch"))
        self.settings.set("services/entangled-dht/known-nodes", "192.0.2.1:14441")
        self.assertEqual(self.value("Bootstrap"), ["/ip4/192.0.2.1/udp/14441"])
        self.assertEqual(self.value("Reprovider"), {"Strategy": "none"})
        self.settings.set("services/ipfs/allowed-origins", "http://a, http://b")
        self.assertEqual(self.value("API.HTTPHeaders.Access-Control-Allow-Origin"), ["http://a", "http://b"])

    def test_changed(self) -> None:
        """A value that may be changed is the setting of the node; its new value is the answer."""
        for name, given, shown, setting, value in (
            ("Datastore.StorageMax", "20GB", "20GB", "services/block-store/storage-max", 20 << 30),
            ("Addresses.API", "/ip4/127.0.0.1/tcp/5002", "/ip4/127.0.0.1/tcp/5002", "services/ipfs/api-port", 5002),
            ("Addresses.Gateway", "/ip4/127.0.0.1/tcp/81", "/ip4/127.0.0.1/tcp/81", "services/ipfs/gateway-port", 81),
            ("Addresses.API", "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0", "services/ipfs/api-port", 0),
            ("Ipns.RepublishPeriod", "12h", "12h0m0s", "services/ipfs/republish-hours", 12),
            ("Ipns.RecordLifetime", "2h0m", "2h0m0s", "services/ipfs/record-hours", 2),
        ):
            self.assertEqual(self.rpc("config", name, given), {"Key": name, "Value": shown})
            self.assertEqual(self.settings.get(setting), value)
            self.assertEqual(self.value(name), shown)
        self.assertEqual(self.rpc("config", "Datastore.StorageMax", '"1GB"', json=True)["Value"], "1GB")

    def test_refused(self) -> None:
        """The private key is never shown; what cannot be changed, or not so, is refused, and nothing has changed."""
        before = self.rpc("config/show")
        for code, words, text in (
            ("forbidden", ("Identity.PrivKey",), "cannot show or change private key through API"),
            ("forbidden", ("identity.privkey", "x"), "cannot show or change private key through API"),
            ("no-setting", ("Nothing.Here",), '"Nothing.Here" not found'),
            ("no-setting", ("Nothing.Here", "x"), "is no setting of this node"),
            ("no-setting", ("Datastore.StorageMax.x",), "not found"),
            ("bad-argument", ("Datastore", "x"), "is no single value"),
            ("read-only", ("Identity.PeerID", "x"), "cannot be set here"),
            ("read-only", ("Bootstrap", "[]"), "bootstrap/add"),
            ("read-only", ("Discovery.MDNS.Enabled", "true"), "cannot be set here"),
            ("read-only", ("DNS.Resolvers", "x"), "bitdust set services/ipfs/dns-resolver"),
            ("read-only", ("API.HTTPHeaders.Access-Control-Allow-Origin", "*"), "bitdust set services/ipfs/allowed"),
            ("read-only", ("API.Authorizations", "{}"), "bitdust ipfs authorize"),
            ("bad-argument", ("Datastore.StorageMax", "much"), "is not a size"),
            ("bad-argument", ("Addresses.API", "/ip4/0.0.0.0/tcp/5001"), "on this machine alone"),
            ("bad-argument", ("Addresses.API", "/ip4/127.0.0.1/udp/5001"), "on this machine alone"),
            ("bad-argument", ("Addresses.API", "5001"), "is no address such as"),
            ("bad-argument", ("Ipns.RepublishPeriod", "90m"), "whole hours"),
            ("bad-argument", ("Ipns.RepublishPeriod", "x"), "is no duration"),
            ("bad-argument", ("Ipns.RepublishPeriod", "1000h"), "is not in the range"),
        ):
            self.assertIn(text, self.rpc_fails(code, "config", *words))
        self.assertIn("unmarshal json", self.rpc_fails("bad-call", "config", "Datastore.StorageMax", "{", json=True))
        self.assertIn("is not a size", self.rpc_fails("bad-argument", "config", "Datastore.StorageMax", "1", bool=True))
        self.assertIn("no whole configuration", self.rpc_fails("read-only", "config/replace", body=b"{}"))
        self.assertEqual(self.rpc("config/show"), before)

    def test_profiles(self) -> None:
        """A profile that this node has something for sets that back; others are refused, and a try changes nothing."""
        self.rpc("config", "Addresses.API", "/ip4/127.0.0.1/tcp/7")
        tried = self.rpc("config/profile/apply", "default-networking", dry_run=True)
        self.assertEqual(tried["OldCfg"]["Addresses"]["API"], "/ip4/127.0.0.1/tcp/7")
        self.assertEqual(tried["NewCfg"]["Addresses"]["API"], "/ip4/127.0.0.1/tcp/5001")
        self.assertEqual(self.rpc("config/show"), tried["OldCfg"])
        self.assertEqual(self.rpc("config/profile/apply", "default-networking"), tried)
        self.assertEqual(self.rpc("config/show"), tried["NewCfg"])
        self.assertIn("does not have", self.rpc_fails("no-setting", "config/profile/apply", "server"))
        self.assertIn("not a profile", self.rpc_fails("bad-argument", "config/profile/apply", "what"))

    def test_every_setting_is_one(self) -> None:
        """Each name that stands for a setting stands for one that there is."""
        for entry in ENTRIES:
            self.assertTrue(not entry.setting or entry.setting in self.settings, entry.name)


class LogTests(NodeCase):
    def test_levels(self) -> None:
        """Details of one room, or of all, are logged where a client asks for it."""
        self.assertIn("dht", self.rpc("log/ls")["Strings"])
        said = self.rpc("log/level", "dht", "debug")
        self.assertEqual(said, {"Message": "Changed log level of 'dht' to 'debug'\n"})
        self.rpc("log/level", "ipfs", "debug")
        self.assertEqual(self.settings.get("logs/debug-rooms"), "dht,ipfs")
        self.rpc("log/level", "dht", "error")
        self.assertEqual(self.settings.get("logs/debug-rooms"), "ipfs")
        self.rpc("log/level", "all", "debug")
        self.assertEqual((self.settings.get("logs/debug-rooms"), self.settings.get("logs/debug-level")), ("", 1))
        self.rpc("log/level", "*", "info")
        self.assertEqual(self.settings.get("logs/debug-level"), 0)
        self.assertIn("no such logger", self.rpc_fails("bad-argument", "log/level", "what", "debug"))
        self.assertIn("unrecognized level", self.rpc_fails("bad-argument", "log/level", "dht", "loud"))

    def test_tail(self) -> None:
        """A row comes at once, then one for each event; a slow client misses the oldest."""
        rows = self.live("log/tail")
        self.assertEqual(self.run_now(anext(rows))["event"], "logTail")
        waiting = Deferred.fromCoroutine(anext(rows))
        self.assertNoResult(waiting)
        self.around.events.send("key-registered", {"name": "a"})
        self.clock.advance(0)
        row = self.successResultOf(waiting)
        self.assertEqual((row["event"], row["system"], row["data"]), ("key-registered", "key", {"name": "a"}))
        self.assertTrue(row["time"].endswith("Z"))
        for number in range(1100):
            self.around.events.send("many", {"number": number})
        for _ in range(20):
            self.clock.advance(0)
        self.assertEqual(self.run_now(anext(rows))["data"], {"number": 100})
        self.run_now(rows.aclose())
        self.assertEqual(self.around.events._subscribers, {})


class DiagnosisTests(NodeCase):
    def test_bandwidth(self) -> None:
        """Bytes of all sessions are told once, or again and again with what went in between."""
        self.traffic = {"in": {"bytes": 10}, "out": {"bytes": 20}}
        row = {"TotalIn": 10, "TotalOut": 20, "RateIn": 0.0, "RateOut": 0.0}
        self.assertEqual(self.rpc("stats/bw"), row)
        self.assertIn("together", self.rpc_fails("bad-call", "stats/bw", peer="x"))
        rows = self.live("stats/bw", poll=True, interval=2.0)
        self.assertEqual(self.run_now(anext(rows)), row)
        waiting = Deferred.fromCoroutine(anext(rows))
        self.traffic = {"in": {"bytes": 110}, "out": {"bytes": 20}}
        self.clock.advance(2)
        wanted = {"TotalIn": 110, "TotalOut": 20, "RateIn": 50.0, "RateOut": 0.0}
        self.assertEqual(self.successResultOf(waiting), wanted)
        self.run_now(rows.aclose())

    def test_machine(self) -> None:
        """The machine is told: its disk, memory, addresses, and what runs."""
        row = self.rpc("diag/sys")
        self.assertEqual(row["environment"], {"GOPATH": "", "IPFS_PATH": str(self.folder)})
        self.assertEqual(row["net"], {"interface_addresses": ["192.0.2.1"], "online": True})
        self.assertGreater(row["diskinfo"]["total_space"], row["diskinfo"]["free_space"])
        self.assertGreater(row["memory"]["virt"], 0)
        self.assertEqual(row["ipfs_version"], "0.6.0")

    def test_calls(self) -> None:
        """Calls that go on are shown, and those that ended for as long as a client says, the last hundred of them."""
        calls = Calls()
        first = calls.begin("cat", {"ipfs-path": ["a", "b"]}, {"offset": 0, "length": None}, 0.0)
        for number in range(105):
            calls.end(calls.begin("ls", {"ipfs-path": [str(number)]}, {}, 1.0), 5.0)
        shown = calls.shown(10.0, 1010.0)
        self.assertEqual(len(shown), 101)
        going, ended = shown[0], shown[-1]
        self.assertEqual((going["ID"], going["Active"], going["Args"], going["EndTime"]), (first, True, ["a", "b"], ""))
        self.assertEqual((going["Options"], going["StartTime"]), ({"offset": 0}, "1970-01-01T00:16:40Z"))
        self.assertEqual((ended["Active"], ended["Command"], ended["Args"]), (False, "ls", ["104"]))
        self.assertEqual(ended["EndTime"], "1970-01-01T00:16:45Z")
        calls.seconds = 3
        self.assertEqual(len(calls.shown(10.0, 1010.0)), 1)
        calls.end(first, 10.0)
        calls.end(first, 11.0)
        self.assertEqual([row["ID"] for row in calls.shown(10.0, 1010.0)], [first])
        calls.clear()
        self.assertEqual(calls.shown(10.0, 1010.0), [])

    def test_commands_about_calls(self) -> None:
        """What is kept is shown and forgotten by commands; a time that is none is refused."""
        self.assertEqual(self.rpc("diag/cmds"), [])
        self.assertIsNone(self.rpc("diag/cmds/set-time", "90s"))
        self.assertIsNone(self.rpc("diag/cmds/clear"))
        self.assertIn("no duration", self.rpc_fails("bad-call", "diag/cmds/set-time", "soon"))

    def test_shutdown(self) -> None:
        """A client that stops the daemon is answered first; then nobody is any more."""
        self.assertIsNone(self.rpc("shutdown"))
        self.assertEqual(self.stopped, 0)
        self.clock.advance(0.05)
        self.assertEqual(self.stopped, 1)
