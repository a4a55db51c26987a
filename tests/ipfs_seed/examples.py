"""An example, and what examples are given: content with the CIDs that the reference prints, wherever those can be had
from content that is known."""

import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from tests.ipfs_seed.shapes import Wanted

Client = Any
"""`ipfshttpclient.Client`, of any version."""
FOLDER = "QmTkzDwWqPbnAh5YiV5VwcTLnGdwSNsNTn2aDxdXBFca7D"
LINKS = [
    {"Hash": "Qmd2xkBfEwEs9oMTk77A6jrsgurpF3ugXSg7dtPNFkcNMV", "Name": "Makefile", "Size": 174},
    {"Hash": "QmeKozNssnkJ4NcyRidYgDY2jfRZqVEoRGfipkgath71bX", "Name": "example", "Size": 1474},
    {"Hash": "QmZAL3oHMQYqsV61tGvoAVtQLs1WzRe1zkkamv9qxqnDuK", "Name": "home", "Size": 3947},
    {"Hash": "QmZNPyKVriMsZwJSNXeQtVQSNU4v4KEKGUQaMT61LPahso", "Name": "lib", "Size": 268261},
    {"Hash": "QmSY8RfVntt3VdxWppv9w5hWgNrE31uctgTiYwKir8eXJY", "Name": "published-version", "Size": 55},
]
"""The directory that most examples are about: its block follows from what is printed of it."""
LAMB = b"Mary had a little lamb"
LAMB_CID = "QmZfF6C9j4VtoCsTp4KSrhYH47QMd3DNXVZBKaxJdhaPab"
ANOTHER = {
    "Data": "another",
    "Links": [{"Name": "some link", "Hash": "QmXg9Pp2ytZ14xgmQjYEiHjVjMFXzCVVEcRTWJBmLgR39V", "Size": 8}],
}
NUMBERS = b'{"three": 3, "two": 2, "one": 1}'
"""The bytes that have the CID which is printed for `add_json`."""


def stream(value: Any) -> io.BytesIO:
    """A file with JSON, or with bytes."""
    return io.BytesIO(value if isinstance(value, bytes) else json.dumps(value).encode())


@define
class Given:
    """What there is when examples run; ``peer`` is the address of another node, where there is one."""

    client: Client
    peer: str = ""
    base: Path = field(factory=lambda: Path(tempfile.mkdtemp()))
    tree: str = ""
    page: str = ""
    pinned: str = ""

    def prepare(self) -> None:
        """Store it; what a run before has left in MFS goes."""
        client = self.client
        client.object.put(stream({"Data": "\x08\x01", "Links": LINKS}))
        client.object.put(stream(ANOTHER))
        self.page = client.add_bytes(b"<!DOCTYPE html>\n<html>\n\n<head>\n<title>ipfs example viewer</title>")
        client.add_bytes(NUMBERS)
        self.pinned = client.add_bytes(b"pinned")
        for name in ("Makefile", "published-version"):
            (self.base / "tree").mkdir(exist_ok=True)
            (self.base / "tree" / name).write_text(name)
        self.tree = client.add(str(self.base / "tree"))[-1]["Hash"]
        (self.base / "nurseryrhyme.txt").write_bytes(LAMB)
        for row in client.files.ls("/")["Entries"] or []:
            client.files.rm(f"/{row['Name']}", recursive=True)
        client.files.mkdir("/Software")


Run = Callable[[Client, Given], Any]


@frozen
class Example:
    """A call as it is printed. ``command`` is what it asks of the daemon; ``outdated`` says why what is printed cannot
    come, and ``wanted`` is what comes instead then."""

    method: str
    command: str
    run: Run
    wanted: Wanted
    outdated: str = ""
