"""The reference as a file, for a command line that loads no node: everything here needs the standard library alone.

The file is built, not kept with the sources: by the build of a wheel, by `make`, and otherwise when somebody asks. It
names the sources that it was made from, so that nobody reads of a method that has changed.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FILE = HERE / "reference.json"
MAKER = "bitdust.api.pages"
Entry = Mapping[str, Any]


@cache
def entries() -> list[Entry]:
    """Every method, in the order of the documents. Making them takes a second, and is done once."""
    found = read(FILE)
    if found is None:
        text = made()
        write(FILE, text)
        found = json.loads(text)["methods"]
    return found


def read(path: Path) -> list[Entry] | None:
    """What a file says; None where there is none, or one of other sources."""
    try:
        found = json.loads(path.read_bytes())
        methods: list[Entry] = found["methods"]
        return methods if found["sources"] == sources() else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def sources() -> str:
    """A digest of the modules that declare the methods."""
    digest = blake2b(digest_size=16)
    for path in sorted(HERE.rglob("*.py")):
        digest.update(path.relative_to(HERE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def as_text(methods: list[Any]) -> str:
    """The whole file, a line a method."""
    rows = ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in methods)
    return f'{{"sources": "{sources()}", "methods": [\n{rows}\n]}}\n'


def made() -> str:
    """The file as another process writes it, which loads the node for that."""
    roots = [str(HERE.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    around = {**os.environ, "PYTHONPATH": os.pathsep.join(roots)}
    command = [sys.executable, "-m", MAKER, "--terminal"]
    return subprocess.run(command, env=around, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def write(path: Path, text: str) -> None:
    """Put the file in its place as a whole; where the folder belongs to somebody else, there is none."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    except OSError:
        return
