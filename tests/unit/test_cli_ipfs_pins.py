"""What `bitdust ipfs pin`, `unpin` and `pins` ask, and what they print of the answer."""

import io
import json
from collections.abc import Iterator
from typing import Any

from bitdust.cli import ipfs_pins
from bitdust.cli.client import ApiError
from bitdust.cli.main import Session
from tests.unit.test_cli_calls import NodeCase

LAMB = "QmZfF6C9j4VtoCsTp4KSrhYH47QMd3DNXVZBKaxJdhaPab"
EMPTY = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"


class PinCase(NodeCase):
    """An RPC that answers as the test says."""

    def setUp(self) -> None:
        super().setUp()
        self.said: Any = {}
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        case = self

        class FakeRpc:
            def __init__(self, session: Session) -> None:
                pass

            def ask(self, command: str, options: dict[str, str], *arguments: str) -> io.BytesIO:
                case.calls.append((command, arguments))
                if isinstance(case.said, ApiError):
                    raise case.said
                return io.BytesIO(json.dumps(case.said).encode())

            def rows(self, command: str, options: dict[str, str], *arguments: str) -> Iterator[Any]:
                case.calls.append((command, arguments))
                return iter(case.said)

        self.patch(ipfs_pins, "Rpc", FakeRpc)

    def tells(self, words: str, command: str, *arguments: str, code: int = 0) -> str:
        """The command asks exactly this; gives what it prints."""
        self.calls.clear()
        output = self.cli("ipfs", *words.split(), code=code).output
        self.assertEqual(self.calls, [(command, arguments)])
        return output


class PinTests(PinCase):
    def test_add_and_remove(self) -> None:
        """Paths are pinned and unpinned, several at once, with the words that clients of IPFS know and without."""
        self.said = {"Pins": [LAMB, EMPTY]}
        for words in ("pin add", "pin"):
            self.assertEqual(self.tells(f"{words} {LAMB} {EMPTY}", "pin/add", LAMB, EMPTY), f"{LAMB}\n{EMPTY}\n")
        for words in ("pin rm", "unpin", "pin remove"):
            self.assertEqual(self.tells(f"{words} {LAMB} {EMPTY}", "pin/rm", LAMB, EMPTY), f"{LAMB}\n{EMPTY}\n")
        self.prints_json(f"ipfs pin {LAMB}", [LAMB, EMPTY])
        self.said = ApiError("ipfs", "not pinned or pinned indirectly")
        self.assertIn("not pinned or", self.tells(f"unpin {LAMB}", "pin/rm", LAMB, code=1))

    def test_list(self) -> None:
        """What stays is listed with what of it is backed up, by either name."""
        rows = [
            {"cid": LAMB, "mode": "recursive", "name": "", "backed_up": True, "blocks_left": 0, "bytes_left": 0},
            {"cid": EMPTY, "mode": "root", "name": "mfs", "backed_up": False, "blocks_left": 1, "bytes_left": 4},
        ]
        self.answers["ipfs_pins"] = {"result": rows}
        output = self.cli("ipfs", "pins").output
        self.assertRegex(output, f"{LAMB} +recursive +yes")
        self.assertRegex(output, f"{EMPTY} +root +no, 4 bytes")
        for words in (("pin",), ("pin", "ls"), ("pin", "list")):
            self.assertEqual(self.cli("ipfs", *words).output, output)
        self.prints_json("ipfs pin ls", rows)

    def test_verify(self) -> None:
        """Pins that are sound are counted; what cannot be read is named, and is an error."""
        sound = {"Cid": LAMB, "Ok": True}
        bad = {"Cid": EMPTY, "Ok": False, "BadNodes": [{"Cid": EMPTY, "Err": f"block {EMPTY} is not here"}]}
        self.said = [sound]
        self.assertEqual(self.tells("pin verify", "pin/verify"), "1 of 1 pins are sound\n")
        self.prints_json("ipfs pin verify", [{"cid": LAMB, "sound": True, "bad": []}])
        self.said = [sound, bad]
        output = self.tells("pin verify", "pin/verify", code=1)
        self.assertIn(f"{EMPTY}: block {EMPTY} is not here", output)
        self.assertIn("1 of 2 pins are sound", output)
