"""What `bitdust ipfs key`, `name`, `id` and `config` ask of the RPC, and what they print of its answer."""

import io
import json
from pathlib import Path
from typing import Any

from bitdust.cli import ipfs_names
from bitdust.cli.client import ApiError
from bitdust.cli.main import Session
from tests.unit.test_cli_calls import NodeCase

PEER = "12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"
OTHER = "QmVgNoP89mzpgEAAqK8owYoDEyB97MkcGvoWZir8otE9Uc"
PATH = "/ipfs/QmZfF6C9j4VtoCsTp4KSrhYH47QMd3DNXVZBKaxJdhaPab"


class NamesCase(NodeCase):
    """An RPC that answers as the test says."""

    def setUp(self) -> None:
        super().setUp()
        self.said: Any = {}
        self.calls: list[tuple[str, dict[str, str], tuple[str, ...]]] = []
        self.body = b""
        case = self

        class FakeRpc:
            def __init__(self, session: Session) -> None:
                pass

            def ask(self, command: str, options: dict[str, str], *arguments: str, **body: Any) -> io.BytesIO:
                case.calls.append((command, options, arguments))
                case.body = b"".join(body["body"]) if body else b""
                if isinstance(case.said, ApiError):
                    raise case.said
                return io.BytesIO(case.said if isinstance(case.said, bytes) else json.dumps(case.said).encode())

        self.patch(ipfs_names, "Rpc", FakeRpc)

    def tells(self, words: str, command: str, arguments: tuple[str, ...] = (), **options: str) -> str:
        """The command asks exactly this; gives what it prints."""
        self.calls.clear()
        output = self.cli("ipfs", *words.split()).output
        given = {name.replace("_", "-"): value for name, value in options.items()}
        self.assertEqual(self.calls, [(command, given, arguments)])
        return output


class KeyTests(NamesCase):
    def test_list(self) -> None:
        """Keys are shown by name, with the name of IPNS that each makes."""
        self.said = {"Keys": [{"Name": "self", "Id": PEER}, {"Name": "page", "Id": OTHER}]}
        output = self.tells("key", "key/list")
        self.assertLess(output.index(PEER), output.index(OTHER))
        self.assertEqual(self.tells("key ls", "key/list"), output)
        rows = [{"name": "self", "id": PEER}, {"name": "page", "id": OTHER}]
        self.prints_json("ipfs key list", rows)

    def test_gen(self) -> None:
        """A new key is shown by its id; its kind and size are what was asked for."""
        self.said = {"Name": "page", "Id": PEER}
        self.assertEqual(self.tells("key gen page", "key/gen", ("page",), type="ed25519"), f"{PEER}\n")
        self.tells("key gen page --type rsa --size 4096", "key/gen", ("page",), type="rsa", size="4096")
        self.prints_json("ipfs key gen page", {"name": "page", "id": PEER})
        self.refuses("ipfs key gen page --type dsa", "dsa", code=2)

    def test_rename_and_remove(self) -> None:
        """What a key is called now, and which ones are gone, is shown."""
        self.said = {"Was": "a", "Now": "b", "Id": PEER, "Overwrite": False}
        self.assertEqual(self.tells("key rename a b", "key/rename", ("a", "b"), force="False"), f"{PEER}\n")
        self.tells("key rename a b --force", "key/rename", ("a", "b"), force="True")
        self.prints_json("ipfs key rename a b", {"name": "b", "id": PEER})
        self.said = {"Keys": [{"Name": "a", "Id": PEER}, {"Name": "b", "Id": OTHER}]}
        self.assertEqual(self.tells("key rm a b", "key/rm", ("a", "b")), "a\nb\n")

    def test_out_and_in(self) -> None:
        """A key goes into a file that nobody else can read, and never over another one; it comes in from there."""
        file, self.said = Path(self.home) / "page.key", b"the key"
        pem, bare = "pem-pkcs8-cleartext", "libp2p-protobuf-cleartext"
        self.assertIn(str(file), self.tells(f"key export page {file} --pem", "key/export", ("page",), format=pem))
        self.assertEqual((file.read_bytes(), file.stat().st_mode & 0o777), (b"the key", 0o600))
        self.refuses(f"ipfs key export page {file}", "exists")
        self.refuses(f"ipfs key export page {self.home}/missing/file", "cannot be written")
        self.said = {"Name": "page", "Id": PEER}
        self.assertEqual(self.tells(f"key import page {file}", "key/import", ("page",), format=bare), f"{PEER}\n")
        self.assertIn(b"the key", self.body)

    def test_errors(self) -> None:
        """What the RPC refuses is told in its words."""
        self.said = ApiError("ipfs", "no key named x was found")
        self.refuses("ipfs key rm x", "no key named x was found")


class NameTests(NamesCase):
    def test_publish(self) -> None:
        """The name is shown with what it leads to; options are handed on where they are given."""
        self.said = {"Name": PEER, "Value": PATH}
        usual = {"key": "self", "resolve": "True", "allow_offline": "False"}
        output = self.tells(f"name publish {PATH}", "name/publish", (PATH,), **usual)
        self.assertEqual(output, f"/ipns/{PEER} leads to {PATH}\n")
        words = f"name publish {PATH} --key page --lifetime 48h --ttl 1m --allow-offline --no-resolve"
        given = {"key": "page", "resolve": "False", "allow_offline": "True", "lifetime": "48h", "ttl": "1m"}
        self.tells(words, "name/publish", (PATH,), **given)
        self.prints_json(f"ipfs name publish {PATH}", {"name": PEER, "path": PATH})

    def test_resolve(self) -> None:
        """Without a name it is this node's own; a path is shown alone, for scripts."""
        self.said = {"Path": PATH}
        usual = {"nocache": "False", "recursive": "True"}
        self.assertEqual(self.tells("name", "name/resolve", **usual), f"{PATH}\n")
        self.tells(f"name resolve {PEER} --no-cache", "name/resolve", (PEER,), nocache="True", recursive="True")
        self.tells(f"name resolve {PEER} --one-step", "name/resolve", (PEER,), nocache="False", recursive="False")
        self.prints_json("ipfs name resolve", {"path": PATH})


class NodeTests(NamesCase):
    def test_id(self) -> None:
        """Id, key and addresses are shown, of this node or of another one."""
        address = f"/ip4/192.0.2.1/tcp/7771/p2p/{PEER}"
        self.said = {"ID": PEER, "PublicKey": "CAES", "AgentVersion": "bitdust/1", "Addresses": [address]}
        output = self.tells("id", "id")
        self.assertTrue(all(part in output for part in (PEER, "CAES", "bitdust/1", address)))
        self.tells(f"id {OTHER}", "id", (OTHER,))
        shown = {"id": PEER, "public_key": "CAES", "agent": "bitdust/1", "addresses": [address]}
        self.prints_json("ipfs id", shown)

    def test_config(self) -> None:
        """All settings come as JSON, one as it is; a value that is given is the new one."""
        self.said = {"Addresses": {"API": "/ip4/127.0.0.1/tcp/5001"}}
        self.assertEqual(json.loads(self.tells("config", "config/show")), self.said)
        self.said = {"Key": "Datastore.StorageMax", "Value": "10GB"}
        words = ("Datastore.StorageMax",)
        self.assertEqual(self.tells("config Datastore.StorageMax", "config", words), "10GB\n")
        self.tells("config Datastore.StorageMax 20GB", "config", (*words, "20GB"))
        self.prints_json("ipfs config Datastore.StorageMax", "10GB")
        self.said = {"Key": "Addresses.Swarm", "Value": ["/ip4/192.0.2.1/tcp/7771"]}
        output = self.tells("config Addresses.Swarm", "config", ("Addresses.Swarm",))
        self.assertEqual(json.loads(output), self.said["Value"])
