"""What the commands for identity and keys ask of the node, and which files they write."""

import json

from tests.unit.test_cli_calls import ALICE, NodeCase


class IdentityTests(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.document = {"name": "alice", "global_id": ALICE, "idurl": "http://id.example/alice.xml", "xml": "<xml/>"}
        self.answers["identity_get"] = self.answers["identity_create"] = self.document

    def test_show(self) -> None:
        """Who this node is, the document itself, and the two names alone."""
        output = self.asks("identity", ("identity_get", {"include_xml_source": False}))
        self.assertIn(ALICE, output)
        self.assertEqual(self.cli("identity", "show", "--xml").output, "<xml/>\n")
        self.prints_json("identity show --xml", self.document)
        self.assertEqual(self.cli("id").output, f"{ALICE}\n")
        self.prints_json("idurl", {"idurl": self.document["idurl"]})

    def test_rotate(self) -> None:
        """Who this node is now, and where its name was before."""
        self.answers["identity_rotate"] = moved = self.document | {"old_sources": ["http://old.example/alice.xml"]}
        printed = self.asks("identity rotate", ("identity_rotate", {}))
        self.assertEqual(printed, f"you are {ALICE} now; before: http://old.example/alice.xml\n")
        self.prints_json("identity rotate", moved)

    def test_create(self) -> None:
        """A name is registered at the servers that are named, and people are reminded of a backup."""
        expected = {"username": "alice", "join_network": True}
        self.assertIn("backup", self.asks("identity create alice", ("identity_create", expected)))
        words = "identity register alice --server a.example:80 --server b.example:80"
        servers = {"preferred_servers": ["a.example:80", "b.example:80"]}
        self.asks(words, ("identity_create", expected | servers))
        self.prints_json("identity create alice", self.document)

    def test_backup(self) -> None:
        """A key file is written privately, read back and compared; another file is never replaced unasked."""
        target = self.home.parent / "alice.key"
        self.answers |= {
            "identity_backup": {"result": {"result": "THE KEY"}},
            "identity_backup_check": {"counts": True, "encrypted": False, "unnamed": 0},
        }
        output = self.cli("identity", "backup", str(target)).output
        self.assertIn(f"your key file is {target}", output)
        self.assertEqual((target.read_text(), target.stat().st_mode & 0o777), ("THE KEY", 0o600))
        self.assertEqual(self.asked[-1][1], {"source_filepath": str(target), "private_key_source": "THE KEY"})
        self.refuses(f"identity backup {target}", "exists; take another name")
        found = json.loads(self.cli("--json", "identity", "backup", str(target), "--overwrite").output)
        self.assertEqual((found["local_path"], found["counts"]), (str(target), True))
        self.answers["identity_backup_check"] = {"counts": False, "encrypted": True}
        output = self.cli("identity", "check", str(target)).output
        self.assertIn("is lost with it", output)
        self.assertIn("under its passphrase", output)

    def test_passphrase(self) -> None:
        """A passphrase comes from the first line of a file; one that is missing is said."""
        word, target = self.home / "word", self.home.parent / "locked.key"
        word.write_text("open sesame\nsecond line\n")
        word.chmod(0o600)
        self.answers |= {
            "identity_backup": {"result": {"result": "ENCRYPTED KEY"}},
            "identity_backup_check": {"counts": True, "encrypted": True},
        }
        self.cli("identity", "backup", str(target), "--passphrase-file", str(word), "--overwrite")
        self.assertEqual([asked[1].get("passphrase") for asked in self.asked], ["open sesame"] * 2)
        self.asked.clear()
        self.cli("identity", "recover", str(target), "--passphrase-file", "-", input="typed\n")
        self.assertEqual(self.asked[-1][1]["passphrase"], "typed")
        self.refuses(f"identity check {target}", "nobody can be asked here", 2)
        for mode, others in ((0o640, "its group can read"), (0o604, "everybody can read")):
            word.chmod(mode)
            self.refuses(f"identity check {target} --passphrase-file {word}", others, 2)
        word.chmod(0o600)
        word.write_text("\n")
        self.refuses(f"identity check {target} --passphrase-file {word}", "empty first line", 2)
        self.refuses(f"identity check {target} --passphrase-file {self.home}/none", "cannot be read", 2)

    def test_recover(self) -> None:
        """A key file, and where the identity is stored if the file does not say so, bring a person back."""
        self.answers["identity_recover"] = self.document
        source = self.home / "alice.key"
        source.write_text("THE KEY")
        expected = {"private_key_source": "THE KEY", "join_network": True}
        self.assertIn(ALICE, self.asks(f"identity recover {source}", ("identity_recover", expected)))
        idurl = str(self.document["idurl"])
        self.asks(f"identity restore {source} {idurl}", ("identity_recover", expected | {"known_idurl": idurl}))
        self.asks(f"identity recover {source} --start-over", ("identity_recover", expected | {"start_over": True}))
        self.asks("identity recover --start-over", ("identity_recover", {"start_over": True}))
        revoking = expected | {"revoke_other_devices": True}
        self.asks(f"identity recover {source} --revoke-other-devices", ("identity_recover", revoking))
        self.refuses("identity recover", "give the key file", 2)
        source.write_bytes(b"x" * 100_001)
        self.refuses(f"identity recover {source}", "it is no key file")

    def test_devices(self) -> None:
        """They are shown, and one of them is revoked by its number or id."""
        rows = [{"number": 1, "id": "ab12", "state": "counts", "since": 2, "revoked": None, "entries": None,
                 "this_device": True, "stored_first": 1_800_000_000.0, "stored_last": None}]  # fmt: skip
        self.answers |= {"identity_devices": {"result": rows}, "identity_device_revoke": {"result": rows}}
        shown = self.asks("identity devices", ("identity_devices", {}))
        self.assertIn("ab12", shown)
        self.assertIn("2027-01-15", shown)
        self.prints_json("identity devices", rows)
        self.asks("identity revoke ab12 --yes", ("identity_device_revoke", {"device": "ab12"}))
        self.prints_json("identity revoke 1 --yes", rows)
        ended = {"device": "1", "end_now": True}
        self.asks("identity revoke 1 --end-now --yes", ("identity_device_revoke", ended))
        self.refuses("identity revoke 1", "nobody can be asked here; give --yes", 2)

    def test_the_key_elsewhere(self) -> None:
        """The key file is named to detach and given to attach, or with a revocation."""
        file = self.home / "alice.key"
        file.write_text("THE KEY")
        self.answers |= {"identity_detach": {}, "identity_attach": {}, "identity_device_revoke": {"result": []}}
        asked = ("identity_detach", {"source_filepath": str(file)})
        self.assertIn("alone", self.asks(f"identity detach {file}", asked))
        attached = {"private_key_source": "THE KEY", "permanently": False}
        self.assertIn("until it stops", self.asks(f"identity attach {file}", ("identity_attach", attached)))
        self.asks(f"identity attach {file} --permanently", ("identity_attach", attached | {"permanently": True}))
        asked = ("identity_device_revoke", {"device": "1", "private_key_source": "THE KEY"})
        self.asks(f"identity revoke 1 --yes --key-file {file}", asked)

    def test_erase(self) -> None:
        """An identity is erased after a question that names it; what is left elsewhere is said."""
        self.answers["identity_erase"] = {"message": "erased", "result": {"elsewhere": ["the ID server keeps it"]}}
        asked = ("identity_get", {})
        output = self.asks(
            "identity erase", asked, ("identity_erase", {"erase_private_key": False}), input="y\n"
        )  # fmt: skip
        self.assertIn("the ID server keeps it", output)
        self.assertIn("all is lost", self.asks("identity erase --private-key", asked, code=1, input="n\n"))
        self.prints_json("identity erase --private-key --yes", {"elsewhere": ["the ID server keeps it"]})
        self.assertEqual(self.asked[-1], ("identity_erase", {"erase_private_key": True}))

    def test_known(self) -> None:
        """Other identities are listed, and the ID server of this node is shown, started and stopped."""
        self.answers |= {"identity_cache_list": {"result": []}, "service_info": {"state": "ON"}}
        self.assertIn("no other identity", self.asks("identity list", ("identity_cache_list", {})))
        self.prints_json("identity list", [])
        service = {"service_name": "identity_server"}
        self.assertIn("is ON", self.asks("identity server", ("service_info", service)))
        self.asks("identity server start", ("service_start", service))


class KeyTests(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.row = {"key_id": f"share${ALICE}", "label": "Share", "size": 256, "public": "ssh-rsa AAAA\n"}
        self.answers["key_get"] = self.row
        self.file = self.home / "share.key"

    def test_list(self) -> None:
        """Keys come as a table."""
        self.answers["keys_list"] = {"result": [self.row]}
        self.assertIn("Share", self.asks("key", ("keys_list", {})))
        self.prints_json("key list", [self.row])
        self.answers["keys_list"] = {"result": []}
        self.assertIn("no keys yet", self.cli("keys").output)

    def test_create_and_label(self) -> None:
        """A key is made with a size and a label, and labelled again."""
        self.answers["key_create"] = self.row
        expected = {"key_alias": "share", "key_size": None, "label": ""}
        self.assertIn("ssh-rsa AAAA", self.asks("key create share", ("key_create", expected)))
        self.asks("key new share 128 --label X", ("key_create", expected | {"key_size": 128, "label": "X"}))
        self.assertIn("labelled 'Y'", self.asks("key label share Y", ("key_label", {"key_id": "share", "label": "Y"})))

    def test_get(self) -> None:
        """The private part is asked for only when it goes into a new file, and is printed nowhere."""
        self.asks("key get share", ("key_get", {"key_id": "share", "include_private": False}))
        self.answers["key_get"] = self.row | {"private": "PRIVATE"}
        expected = {"key_id": "share", "include_private": True}
        output = self.asks(f"key get share --private-to {self.file}", ("key_get", expected))
        self.assertNotIn("PRIVATE", output)
        self.assertEqual((self.file.read_text(), self.file.stat().st_mode & 0o777), ("PRIVATE", 0o600))

    def test_backup(self) -> None:
        """A key is written to a file that did not exist; a public key alone is none to back up."""
        self.refuses(f"key backup share {self.file}", "only the public part is here")
        self.answers["key_get"] = self.row | {"private": "PRIVATE"}
        self.assertIn("whoever has the file has the key", self.cli("key", "copy", "share", str(self.file)).output)
        self.assertEqual(self.file.read_text(), "PRIVATE")
        self.refuses(f"key backup share {self.file}", "exists; take another name")

    def test_erase(self) -> None:
        """A key is erased after a question, or without one for scripts."""
        erased = ("key_erase", {"key_id": "share"})
        self.asks("key delete share", erased, input="y\n")
        self.asks("key delete share", code=1, input="n\n")
        self.assertIn("share is erased", self.asks("key rm share --yes", erased))
