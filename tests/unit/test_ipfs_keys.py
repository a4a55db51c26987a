"""Keys of IPNS: `key/*`, and the file in which they are kept."""

from types import SimpleNamespace
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.ipfs.names import book, keys
from bitdust.ipfs.names.book import PLAIN
from bitdust.ipfs.names.keys import NamedKey, Published, read, written
from bitdust.ipfs.names.store import KeyStore
from bitdust.ipfs.peerids import peer_id
from bitdust.ipld.keys import PrivateKey
from bitdust.ipld.peerid import PeerId
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from tests.unit.ipfs_kit import IpfsCase
from tests.vectors.keys import device, master

KEY = PrivateKey.of_ed25519(bytes(range(32)))
VALUE = Published(b"/ipfs/QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", 3, 10**18, 10**15, 10**11)


class KeyCase(IpfsCase):
    def begun(self, work: Any) -> "Deferred[Any]":
        return Deferred.fromCoroutine(work)

    def again(self) -> None:
        """The node starts once more."""
        self.room.keys = KeyStore(self.around)

    def be_somebody(self, key: DeviceKey | None = None) -> None:
        """There is an identity from now on."""
        self.around.me = self.room.keys._me = SimpleNamespace(
            locked_key="", present=True, device=key or device(), held_master=None, public=master().public
        )

    def names(self) -> dict[str, str]:
        return {row["Name"]: row["Id"] for row in self.rpc("key/list")["Keys"]}

    @property
    def file(self) -> bytes:
        return (self.folder / "metadata" / "ipfs-keys").read_bytes()


class KeyTests(KeyCase):
    def test_made_and_kept(self) -> None:
        """A new key is listed behind that of the node, by name, and is there after a start; nobody else reads it."""
        made = [self.rpc("key/gen", name, type="ed25519") for name in ("b", "a")]
        rows = self.rpc("key/list", l=True)["Keys"]
        self.assertEqual([row["Name"] for row in rows], ["self", "a", "b"])
        self.assertEqual(rows[1:], made[::-1])
        self.assertTrue(all(row["Id"].startswith("12D3Koo") for row in rows))
        path = self.folder / "metadata" / "ipfs-keys"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.again()
        self.assertEqual(self.rpc("key/list")["Keys"], rows)

    def test_rsa(self) -> None:
        """A key of RSA has its hash for an id, and comes out as it went in."""
        made = self.rpc("key/gen", "old", type="rsa", size=2048)
        self.assertTrue(made["Id"].startswith("Qm"))
        self.again()
        data = self.rpc("key/export", "old")
        self.rpc("key/rm", "old")
        self.assertEqual(self.rpc("key/import", "back", body=data), {"Name": "back", "Id": made["Id"]})

    def test_bases(self) -> None:
        """An id is shown in the base that is asked for."""
        made = self.rpc("key/gen", "a", **{"ipns-base": "base36"})
        self.assertTrue(made["Id"].startswith("k51"))
        self.assertEqual(PeerId.parse(made["Id"]), PeerId.parse(self.names()["a"]))
        self.assertIn("unsupported multibase", self.rpc_fails("bad-call", "key/list", **{"ipns-base": "x"}))

    def test_renamed(self) -> None:
        """A key is renamed; another one is overwritten only by force, and says so."""
        made = self.rpc("key/gen", "bla")
        row = {"Was": "bla", "Now": "personal", "Id": made["Id"], "Overwrite": False}
        self.assertEqual(self.rpc("key/rename", "bla", "personal"), row)
        self.rpc("key/gen", "other")
        self.assertIn("refusing to overwrite", self.rpc_fails("exists", "key/rename", "other", "personal"))
        self.assertTrue(self.rpc("key/rename", "other", "personal", force=True)["Overwrite"])
        self.assertEqual(list(self.names()), ["self", "personal"])
        self.assertFalse(self.rpc("key/rename", "personal", "personal")["Overwrite"])

    def test_removed(self) -> None:
        """Several keys go together or not at all."""
        rows = [self.rpc("key/gen", name) for name in ("a", "b")]
        text = self.rpc_fails("no-key", "key/rm", "a", "c")
        self.assertEqual(text, "no key named c was found")
        self.assertEqual(list(self.names()), ["self", "a", "b"])
        self.assertEqual(self.rpc("key/rm", "b", "a"), {"Keys": rows[::-1]})
        self.assertEqual(list(self.names()), ["self"])

    def test_pem(self) -> None:
        """A key goes out and comes in as PEM, too."""
        made = self.rpc("key/gen", "a")
        data = self.rpc("key/export", "a", format="pem-pkcs8-cleartext")
        self.assertTrue(data.startswith(b"-----BEGIN PRIVATE KEY-----"))
        self.assertIn("with name 'a'", self.rpc_fails("exists", "key/import", "b", body=data, f="pem-pkcs8-cleartext"))
        self.rpc("key/rm", "a")
        self.assertEqual(self.rpc("key/import", "a", body=data, f="pem-pkcs8-cleartext"), made)

    def test_refused(self) -> None:
        """What cannot be is refused with the words that scripts look for."""
        self.rpc("key/gen", "a")
        for code, words, text in (
            ("bad-name", ("key/gen", "self"), "cannot create key with name 'self'"),
            ("bad-name", ("key/gen", "a/b"), "key names may not contain slashes"),
            ("bad-name", ("key/gen", ""), "key names must be at least one character"),
            ("bad-name", ("key/gen", ".a"), "key names may not begin with a period"),
            ("bad-name", ("key/gen", "a\n"), "key names are printable"),
            ("bad-name", ("key/gen", "a" * 257), "at most 256 bytes"),
            ("exists", ("key/gen", "a"), "key with name 'a' already exists"),
            ("bad-name", ("key/rm", "self"), "cannot remove key with name 'self'"),
            ("bad-name", ("key/rename", "self", "b"), "cannot rename key with name 'self'"),
            ("bad-name", ("key/rename", "a", "self"), "cannot overwrite key with name 'self'"),
            ("no-key", ("key/rename", "x", "y"), "no key named x was found"),
            ("no-key", ("key/export", "x"), "no key named x was found"),
            ("forbidden", ("key/export", "self"), "cannot export key with name 'self'"),
        ):
            self.assertIn(text, self.rpc_fails(code, *words))
        self.assertIn("unrecognized key type", self.rpc_fails("bad-argument", "key/gen", "b", type="dsa"))
        self.assertIn("2048 to 8192 bits", self.rpc_fails("bad-argument", "key/gen", "b", type="rsa", size=1024))
        self.assertIn("export format", self.rpc_fails("bad-call", "key/export", "a", format="x"))
        self.assertIn("PrivateKey", self.rpc_fails("bad-argument", "key/import", "b", body=b"what"))
        pem = {"f": "pem-pkcs8-cleartext"}
        self.assertIn("PrivateKey", self.rpc_fails("bad-argument", "key/import", "b", body=b"", **pem))

    def test_too_many(self) -> None:
        """There is room for a number of bytes; what would be more is refused, and nothing changes."""
        self.patch(keys, "MOST_BYTES", 400)
        self.rpc("key/gen", "a")
        self.rpc_fails("too-many", "key/gen", "b" * 100)
        self.assertEqual(list(self.names()), ["self", "a"])
        self.again()
        self.assertEqual(list(self.names()), ["self", "a"])

    def test_disk(self) -> None:
        """Where the disk takes nothing a key is refused, and not there either."""
        self.rpc("key/gen", "a")

        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(book, "write_safely", refuse)
        self.assertIn("No space left", self.rpc_fails("os-error", "key/gen", "b"))
        self.assertEqual(list(self.names()), ["self", "a"])


class FileTests(KeyCase):
    def test_sealed(self) -> None:
        """With an identity the file is sealed, for this device and the RSA key, and the node's own key is not in it."""
        secret = self.rpc("key/gen", "a") and self.rpc("key/export", "a")
        self.assertTrue(self.file.startswith(PLAIN))
        self.assertIn(secret, self.file)
        self.be_somebody()
        self.assertEqual(self.names()["self"], str(peer_id(device().public)))
        self.assertEqual(list(self.names()), ["self", "a"])
        self.assertNotIn(secret, self.file)
        self.assertNotIn(PLAIN, self.file)
        self.again()
        self.assertEqual(self.rpc("key/export", "a"), secret)
        self.be_somebody(DeviceKey.from_seed(b"x" * 32))
        self.again()
        self.assertIn("cannot be opened", self.rpc_fails("damaged-store", "key/list"))
        self.around.me.held_master = master()
        self.assertEqual(self.names()["self"], str(peer_id(self.around.me.device.public)))

    def test_locked(self) -> None:
        """While the home is locked no key is shown, and none is made."""
        self.be_somebody()
        self.rpc("key/gen", "a")
        self.again()
        self.around.me.locked_key = "locked"
        self.around.me.absence = lambda: BitDustError("locked", "locked")
        self.rpc_fails("locked", "key/list")
        self.rpc_fails("locked", "key/gen", "b")
        self.around.me.locked_key = ""
        self.assertEqual(list(self.names()), ["self", "a"])

    def test_a_former_self(self) -> None:
        """What was published before there was an identity goes on under another name; what was not is forgotten."""
        old = self.names()["self"]
        self.run_now(self.room.keys.publish(PeerId.parse(old), lambda _: VALUE))
        self.be_somebody()
        found = self.names()
        self.assertEqual((found["former-self"], list(found)), (old, ["self", "former-self"]))
        self.assertEqual(self.run_now(self.room.keys.find(old)).published, VALUE)
        self.again()
        self.assertEqual(self.names(), found)

    def test_damaged(self) -> None:
        """A file that was changed is named, and left alone."""
        self.be_somebody()
        self.rpc("key/gen", "a")
        path = self.folder / "metadata" / "ipfs-keys"
        for wrong in (self.file[:-1] + b"\0", b"", PLAIN + b"\xa0", PLAIN + b"\xff"):
            path.write_bytes(wrong)
            self.again()
            self.assertIn("cannot be opened", self.rpc_fails("damaged-store", "key/list"))
            self.assertEqual(path.read_bytes(), wrong)

    def test_copies(self) -> None:
        """A copy brings back keys, and the higher sequence of what both have; names that are taken stay."""
        made = self.rpc("key/gen", "a")
        mine = PeerId.parse(made["Id"])
        store = self.room.keys
        self.run_now(store.publish(mine, lambda _: VALUE))
        copy = self.run_now(store.written())
        self.assertFalse(self.run_now(store.join(copy)))
        self.rpc("key/rm", "a")
        self.rpc("key/gen", "a")
        self.assertTrue(self.run_now(store.join(copy)))
        self.assertEqual(self.run_now(store.find(mine.base36)).name, mine.base36)
        self.assertEqual(self.run_now(store.find(str(mine))).published, VALUE)
        self.run_now(store.publish(mine, lambda before: Published(b"/ipfs/x", before.sequence + 1, 10**18, 1, 1)))
        self.assertFalse(self.run_now(store.join(copy)))
        self.assertEqual(self.run_now(store.find(str(mine))).published.sequence, 4)

    def test_bad_copies(self) -> None:
        """A copy that is none is refused as a whole."""
        key = PrivateKey.generate()
        good = self.run_now(self.room.keys.written())
        for wrong in (b"", good[:-1], good + b"\0", key.encode()):
            self.failureResultOf(self.begun(self.room.keys.join(wrong)), ValueError)


class ReadingTests(SynchronousTestCase):
    @given(st.binary(max_size=200))
    @settings(max_examples=200, deadline=None)
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes are keys, or are refused as bytes that are none."""
        try:
            read(data)
        except WireError:
            return
        self.assertEqual(written(read(data), None), data)

    @given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 10_000)), min_size=1, max_size=4))
    @settings(max_examples=150, deadline=None)
    def test_damaged_bytes(self, changes: list[tuple[int, int]]) -> None:
        """Keys of which some bytes were changed are never taken for keys that sign for another id."""
        one = evolve(NamedKey.of("a", KEY), published=VALUE)
        data = bytearray(written({"a": one}, None))
        for byte, place in changes:
            data[place % len(data)] = byte
        try:
            found = read(bytes(data))
        except WireError:
            return
        for key in found.values():
            self.assertTrue(key.key is None or key.id.matches(key.key.public))
