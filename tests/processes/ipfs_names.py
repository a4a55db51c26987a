"""What the reference of the Python client prints of keys and names, compared with what a daemon answers it."""

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


def raw(case: Any, command: str) -> bytes:
    """What the daemon answers without a client."""
    with urlopen(Request(f"http://127.0.0.1:{case.port}/api/v0/{command}", method="POST")) as answer:  # noqa: S310
        return bytes(answer.read())
