"""CIDs and multibase as text: `cid/*` and `multibase/*`."""

from tests.unit.ipfs_kit import EMPTY_FOLDER, IpfsCase

V1 = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"


class CidTests(IpfsCase):
    def one(self, path: str, text: str, **options: str) -> str:
        (row,) = self.rpc(path, text, **options)
        self.assertEqual(row["ErrorMsg"], "")
        return str(row["Formatted"])

    def test_forms(self) -> None:
        """A CID in another version, base or codec names the same bytes."""
        self.assertEqual(self.one("cid/base32", EMPTY_FOLDER), V1)
        self.assertEqual(self.one("cid/format", EMPTY_FOLDER), EMPTY_FOLDER)
        self.assertEqual(self.one("cid/format", EMPTY_FOLDER, b="base32"), V1)
        self.assertEqual(self.one("cid/format", EMPTY_FOLDER, v="1"), self.one("cid/format", V1, b="base58btc"))
        self.assertEqual(self.one("cid/format", V1, v="0"), EMPTY_FOLDER)
        self.assertTrue(self.one("cid/format", V1, codec="raw").startswith("bafkrei"))
        self.assertTrue(self.one("cid/format", V1, b="base36").startswith("k2"))

    def test_directives(self) -> None:
        """Each directive of a format gives one part of the CID."""
        shape = "%v %V %c %C %h %H %L %b %B %% %P"
        expected = "cidv1 1 dag-pb 112 sha2-256 18 32 base32 b % cidv1-dag-pb-sha2-256-32"
        self.assertEqual(self.one("cid/format", V1, f=shape), expected)
        self.assertEqual(self.one("cid/format", EMPTY_FOLDER, f="prefix"), "cidv0-dag-pb-sha2-256-32")
        parts = self.one("cid/format", EMPTY_FOLDER, f="%M %m %S").split()
        self.assertEqual(parts, [EMPTY_FOLDER, f"z{EMPTY_FOLDER}", EMPTY_FOLDER])
        digest = self.one("cid/format", V1, f="%d|%D|%s|%S").split("|")
        self.assertEqual((digest[0], digest[2], digest[3]), ("b" + digest[1], V1, V1[1:]))

    def test_what_is_none(self) -> None:
        """What is no CID, or has no such form, is a row with an error; the others go on."""
        bare = self.one("cid/format", V1, codec="raw")
        rows = self.rpc("cid/format", "what", bare, V1, v="0")
        self.assertEqual([bool(row["ErrorMsg"]) for row in rows], [True, True, False])
        self.assertEqual(rows[2]["Formatted"], EMPTY_FOLDER)
        (row,) = self.rpc("cid/format", EMPTY_FOLDER, codec="raw")
        self.assertIn("version 0", row["ErrorMsg"])
        for options in ({"v": "2"}, {"b": "base99"}, {"codec": "what"}, {"f": "%x"}, {"v": "0", "b": "base32"}):
            self.rpc_fails("bad-call", "cid/format", V1, **options)

    def test_lists(self) -> None:
        """Bases, codecs and hash functions are listed with their codes."""
        self.assertIn({"Name": "base32", "Code": ord("b")}, self.rpc("cid/bases"))
        self.assertIn({"Name": "dag-pb", "Code": 0x70}, self.rpc("cid/codecs"))
        self.assertIn({"Name": "sha2-256", "Code": 0x12}, self.rpc("cid/hashes"))
        self.assertEqual(self.rpc("multibase/list"), self.rpc("cid/bases"))

    def test_multibase(self) -> None:
        """Bytes go into a base, from one to another, and back; what is none is refused."""
        data = b"\x00hello\xff"
        text = self.rpc("multibase/encode", body=data)
        self.assertEqual(text[:1], b"u")
        other = self.rpc("multibase/transcode", body=text, b="base16")
        self.assertEqual(other, b"f" + data.hex().encode())
        self.assertEqual(self.rpc("multibase/decode", body=other + b"\n"), data)
        self.rpc_fails("unsupported", "multibase/decode", body="äx".encode())
        self.rpc_fails("malformed", "multibase/decode", body=b"fzz")
        self.rpc_fails("bad-call", "multibase/encode", body=data, b="what")
        self.rpc_fails("too-large", "multibase/encode", body=bytes(10_000), b="base58btc")
