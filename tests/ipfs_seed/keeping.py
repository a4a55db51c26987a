"""Examples about what stays: pins, files with names, the store as a whole, and what the daemon is."""

from typing import Any

from tests.ipfs_seed.examples import LAMB_CID, Client, Example, Given, stream
from tests.ipfs_seed.shapes import NOTHING, Exactly, Fails, Like

ENTRY = {"Size": 0, "Hash": "", "Type": 0}
FOLDER = {
    "Hash": "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
    "Size": 0,
    "CumulativeSize": 4,
    "Type": "directory",
    "Blocks": 0,
}
KEYS = {"Keys": {"QmNNPMA1eGUbKxeph6yqV8ZmRkdVatYMuz": {"Type": "recursive"}}}


def entries(*names: str) -> Exactly:
    """Of a list of MFS."""
    return Exactly({"Entries": [{"Name": name, **ENTRY} for name in names]})


def made(client: Client) -> Any:
    """The directory that examples are about."""
    return client.files.mkdir("/test", parents=True)


def copied(client: Client, given: Given) -> Any:
    """The directory as a copy, beside the other ones."""
    made(client)
    client.files.cp("/test", "/bla")
    return client.files.ls("/")


def moved(client: Client, given: Given) -> Any:
    """The file from one directory to the other."""
    client.files.write("/test/file", stream(b"hi"), create=True)
    return client.files.mv("/test/file", "/bla/file")


def removed(client: Client, given: Given) -> Any:
    """The file goes, and all that examples made goes with it, so that the next run finds what this one found."""
    answer = client.files.rm("/bla/file")
    for name in ("/bla", "/test"):
        client.files.rm(name, recursive=True)
    return answer


def unpinned(client: Client, given: Given) -> Any:
    """Something that no pin keeps."""
    return client.pin.ls(f"/ipfs/{client.block.put(stream(b'not pinned'))['Key']}")


def updated(client: Client, given: Given) -> Any:
    """A pin in the place of another one."""
    before, after = client.add_bytes(b"before"), client.add_bytes(b"after")
    client.pin.rm(after)
    found = client.pin.update(before, after)
    return found if found["Pins"] == [f"/ipfs/{before}", f"/ipfs/{after}"] else None


def verified(client: Client, given: Given) -> list[Any]:
    """All pins, as they come."""
    with client.pin.verify(given.pinned, verbose=True) as found:
        return list(found)


def collected(client: Client, given: Given) -> Any:
    """At least one block that nobody needs."""
    client.block.put(stream(b"nobody needs it"))
    return client.repo.gc()


def read(client: Client, given: Given) -> Any:
    return client.files.read("/bla/file")


ROWS = (
    Example("pin.add", "pin/add", lambda client, given: client.pin.add(given.pinned), Like({"Pins": [LAMB_CID]})),
    Example("pin.ls", "pin/ls", lambda client, given: client.pin.ls(), Like(KEYS)),
    Example("pin.ls", "pin/ls", lambda client, given: client.pin.ls(type="recursive"), Like(KEYS)),
    Example("pin.ls", "pin/ls", lambda client, given: client.pin.ls(f"/ipfs/{given.pinned}"), Like(KEYS)),
    Example("pin.ls", "pin/ls", unpinned, Fails("is not pinned")),
    Example("pin.update", "pin/update", updated, Like({"Pins": ["/ipfs/Qm"]})),
    Example("pin.verify", "pin/verify", verified, Like([{"Cid": LAMB_CID, "Ok": True}])),
    Example("pin.rm", "pin/rm", lambda client, given: client.pin.rm(given.pinned), Like({"Pins": [LAMB_CID]})),
    Example("files.ls", "files/ls", lambda client, given: client.files.ls("/"), entries("Software")),
    Example("files.mkdir", "files/mkdir", lambda client, given: made(client), NOTHING),
    Example("files.stat", "files/stat", lambda client, given: client.files.stat("/test"), Exactly(FOLDER)),
    Example("files.cp", "files/cp", copied, entries("Software", "bla", "test")),
    Example(
        "files.write",
        "files/write",
        lambda client, given: client.files.write("/test/file", stream(b"hi"), create=True),
        NOTHING,
    ),
    Example("files.mv", "files/mv", moved, NOTHING),
    Example("files.read", "files/read", read, Exactly(b"hi")),
    Example("files.rm", "files/rm", removed, NOTHING),
    Example(
        "repo.gc",
        "repo/gc",
        collected,
        Like([{"Key": {"/": "QmNPXDC6wTXVmZ9Uoc8X1oqxRRJr4f1sDuyQuwaHG2mpW2"}}]),
        outdated="since 0.4.11 daemons write CIDs as links there",
    ),
    Example(
        "repo.stat",
        "repo/stat",
        lambda client, given: client.repo.stat(),
        Like({"NumObjects": 354, "RepoPath": "", "Version": "fs-repo@4", "RepoSize": 13789310}),
    ),
    Example(
        "unstable.refs.local",
        "refs/local",
        lambda client, given: client.unstable.refs.local(),
        Like([{"Ref": LAMB_CID, "Err": ""}]),
    ),
    Example(
        "version",
        "version",
        lambda client, given: client.version(),
        Like({"Version": "0.4.3-rc2", "Repo": "4", "Commit": "", "System": "amd64/linux", "Golang": ""}),
    ),
    Example(
        "apply_workarounds",
        "version",
        lambda client, given: client.apply_workarounds(),
        Like({"Version": "0.4.3-rc2", "Repo": "4"}),
    ),
    Example("close", "version", lambda client, given: client.close(), NOTHING),
)
