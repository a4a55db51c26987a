"""What the reference of the Python client prints of keys and names, compared with what a daemon answers it."""

import json
from typing import Any
from urllib.request import Request, urlopen

from ipfshttpclient.exceptions import ErrorResponse
from twisted.trial.unittest import TestCase


def check_keys(case: TestCase, client: Any) -> None:
    """`key.gen`, `key.list`, `key.rename` and `key.rm`, as printed; what goes out comes in again."""
    made = client.key.gen("example_key_name", "ed25519")
    case.assertEqual((set(made), made["Name"]), ({"Name", "Id"}, "example_key_name"))
    old = client.key.gen("bla", "rsa", 2048)
    case.assertTrue(old["Id"].startswith("Qm"))
    keys = client.key.list()["Keys"]
    case.assertEqual([row["Name"] for row in keys], ["self", "bla", "example_key_name"])
    renamed = {"Was": "bla", "Now": "personal", "Id": old["Id"], "Overwrite": False}
    case.assertEqual(client.key.rename("bla", "personal"), renamed)
    case.assertEqual(client.key.rm("personal"), {"Keys": [{"Name": "personal", "Id": old["Id"]}]})
    error = case.assertRaises(ErrorResponse, client.key.gen, "self", "rsa")
    case.assertEqual(str(error), "cannot create key with name 'self'")
    data = raw(case, "key/export?arg=example_key_name")
    case.assertEqual((len(data), client.key.rm("example_key_name")), (68, {"Keys": [made]}))


def check_names(case: Any, client: Any) -> None:
    """What the command line says of keys, names and settings is what the client says."""
    page = case.cli("add", __file__).split()[0]
    made = json.loads(case.cli("key", "gen", "page", "--json"))
    copy = case.base / "page.key"
    case.cli("key", "export", "page", str(copy), "--pem")
    case.assertEqual(copy.stat().st_mode & 0o777, 0o600)
    case.cli("key", "rename", "page", "other")
    case.assertEqual(case.cli("key", "rm", "other"), "other\n")
    case.assertEqual(case.cli("key", "import", "page", str(copy), "--pem"), f"{made['id']}\n")
    case.assertIn(made["id"], case.cli("key"))
    path = f"/ipfs/{page}"
    said = case.cli("name", "publish", path, "--key", "page", "--lifetime", "48h", "--allow-offline")
    case.assertEqual(said, f"/ipns/{made['id']} leads to {path}\n")
    case.assertEqual(client.name.resolve(made["id"]), {"Path": path})
    case.assertEqual(client.resolve(f"/ipns/{made['id']}", recursive=True), {"Path": path})
    case.assertEqual(case.cli("cat", f"/ipns/{made['id']}").encode(), client.cat(path))
    case.assertEqual(case.cli("name", "resolve", made["id"]), f"{path}\n")
    case.assertEqual(json.loads(case.cli("id", "--json"))["id"], client.id()["ID"])
    case.assertEqual(case.cli("config", "Datastore.StorageMax", "11GB"), "11GB\n")
    case.assertEqual(json.loads(case.cli("config")), client.config.get())
    *before, this = json.loads(raw(case, "diag/cmds"))
    case.assertEqual((this["Command"], this["Active"]), ("diag/cmds", True))
    case.assertIn(("name/resolve", False), [(row["Command"], row["Active"]) for row in before])
    case.node.kill()
    case.start()
    case.assertEqual(case.client.name.resolve(made["id"]), {"Path": path})
    case.assertEqual(case.client.config.get()["Datastore"]["StorageMax"], "11GB")


def raw(case: Any, command: str) -> bytes:
    """What the daemon answers without a client."""
    with urlopen(Request(f"http://127.0.0.1:{case.port}/api/v0/{command}", method="POST")) as answer:  # noqa: S310
        return bytes(answer.read())
