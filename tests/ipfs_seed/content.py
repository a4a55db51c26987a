"""Examples about content: files, blocks, objects, values."""

from pathlib import Path
from typing import Any

from tests.ipfs_seed.examples import (
    ANOTHER,
    FOLDER,
    LAMB,
    LAMB_CID,
    LINKS,
    NUMBERS,
    Client,
    Example,
    Given,
    stream,
)
from tests.ipfs_seed.shapes import Exactly, Fails, Like, Where

EMPTY = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"
PUT, APPENDED = "QmZZmY4KCu9r3e7M2Pcn46Fc5qbn6NpzaAGaYb22kbfTqm", "QmR79zQQj2aDfnrNgczUhvf2qWapEfQ82YQRt3QjrbhSb2"
WITH_LINK = "QmNtXbF3AjAk59gQKRgEdVabHcSsiPUnJwHnZKyj2x8Z3k"
PRINTED = {"Data": "another", "Links": [{**ANOTHER["Links"][0], "Hash": "QmXg9Pp2ytZ14xgmQjYEiHjVjMFXzCV … R39V"}]}
"""With a CID that was shortened in print: the printed answer is of just this text."""
UNPACKED = "bytes of a block are printed with their middle left out"


def got(client: Client, given: Given) -> str:
    """The folder that `get` has made, and a file in it."""
    client.get(given.tree, target=str(given.base / "got"))
    return (given.base / "got" / given.tree / "Makefile").read_text()


def car_in(client: Client, given: Given) -> Any:
    """A CAR from a file, as it is printed."""
    Path(given.base / "data.car").write_bytes(client.dag.export(given.tree))
    with open(given.base / "data.car", "rb") as file:
        return client.dag.imprt(file)


def with_link(client: Client) -> str:
    """The object that the example of `set_data` begins with."""
    client.object.patch.append_data(PUT, stream(b"bla"))
    return client.object.patch.add_link(APPENDED, "Johnny", APPENDED)["Hash"]


def data_alone(client: Client) -> str:
    """An object with data and no links; what the printed one holds is not known."""
    return client.object.patch.set_data(client.object.new()["Hash"], stream(b"bla"))["Hash"]


def nursery(client: Client, given: Given) -> Any:
    """A file of that name, as it is printed."""
    return client.add(str(given.base / "nurseryrhyme.txt"))


ROWS = (
    Example("add", "add", nursery, Exactly({"Hash": LAMB_CID, "Name": "nurseryrhyme.txt"})),
    Example("add_bytes", "add", lambda client, given: client.add_bytes(LAMB), Exactly(LAMB_CID)),
    Example("add_str", "add", lambda client, given: client.add_str(LAMB.decode()), Exactly(LAMB_CID)),
    Example(
        "add_json",
        "add",
        lambda client, given: client.add_json({"one": 1, "two": 2, "three": 3}),
        Exactly("QmSsf2JAfrKaVPgPpFY1qEjLTiiqaWt8aHFRRKrx3dRXBz"),
        outdated="the printed CID is that of JSON with spaces; today's client sends it sorted and without them",
    ),
    Example(
        "add_json",
        "add",
        lambda client, given: client.add_bytes(NUMBERS),
        Exactly("QmVz9g7m5u3oHiNKHj2CJX1dbG1gtismRS3g9NaPBBLbob"),
    ),
    Example(
        "get_json",
        "cat",
        lambda client, given: client.get_json("QmVz9g7m5u3oHiNKHj2CJX1dbG1gtismRS3g9NaPBBLbob"),
        Exactly({"one": 1, "two": 2, "three": 3}),
    ),
    Example("cat", "cat", lambda client, given: client.cat(FOLDER), Fails("this dag node is a directory")),
    Example(
        "cat",
        "cat",
        lambda client, given: client.cat(given.page)[:32],
        Exactly(b"<!DOCTYPE html>\n<html>\n\n<head>\n<"),
    ),
    Example("get", "get", got, Exactly("Makefile")),
    Example(
        "ls",
        "ls",
        lambda client, given: client.ls(given.tree),
        Like({"Objects": [{"Hash": FOLDER, "Links": [{"Type": 2, **LINKS[0]}]}]}),
    ),
    Example(
        "resolve",
        "resolve",
        lambda client, given: client.resolve(f"/ipfs/{FOLDER}/Makefile"),
        Exactly({"Path": f"/ipfs/{LINKS[0]['Hash']}"}),
    ),
    Example(
        "block.get",
        "block/get",
        lambda client, given: client.block.get(FOLDER),
        Where(
            "as it is printed",
            lambda data: (
                data.startswith(b'\x121\n"\x12 \xdaW>\x14\xe5\xc1\xf6\xe4\x92\xd1') and data.endswith(b"\n\x02\x08\x01")
            ),
        ),
        outdated=UNPACKED,
    ),
    Example(
        "block.put",
        "block/put",
        lambda client, given: client.block.put(stream(LAMB)),
        Exactly({"Key": "QmeV6C6XVt1wf7V7as7Yak3mxPma8jzpqyhtRtCvpKcfBb", "Size": 22}),
    ),
    Example(
        "block.stat",
        "block/stat",
        lambda client, given: client.block.stat(FOLDER),
        Exactly({"Key": FOLDER, "Size": 258}),
    ),
    Example(
        "dag.put",
        "dag/put",
        lambda client, given: client.dag.put(stream(PRINTED)),
        Exactly({"Cid": {"/": "bafyreifgjgbmtykld2e3yncey3naek5xad3h4m2pxmo3of376qxh54qk34"}}),
    ),
    Example(
        "dag.get",
        "dag/get",
        lambda client, given: client.dag.get(FOLDER),
        Like({"data": "CAE=", "links": [{"Name": "Makefile", "Size": 174, "Cid": {"/": LINKS[0]["Hash"]}}]}),
        outdated="daemons from 0.4.4 to 0.9 answer with data in base64, links in small letters and CIDs as links",
    ),
    Example(
        "dag.resolve", "dag/resolve", lambda client, given: client.dag.resolve(FOLDER), Exactly({"Cid": {"/": FOLDER}})
    ),
    Example(
        "dag.export",
        "dag/export",
        lambda client, given: client.dag.export(given.tree),
        Where("a CAR file", lambda data: b"eroots" in data[:10]),
    ),
    Example(
        "dag.imprt",
        "dag/import",
        car_in,
        Like({"Root": {"Cid": {"/": "bafyreidepjmjhvhlvp5eyxqpmyyi7rxwvl7wsglwai3cnvq63komq4tdya"}}}),
    ),
    Example("object.new", "object/new", lambda client, given: client.object.new(), Exactly({"Hash": EMPTY})),
    Example(
        "object.put",
        "object/put",
        lambda client, given: client.object.put(stream(ANOTHER)),
        Exactly({"Hash": PUT, "Links": ANOTHER["Links"]}),
    ),
    Example("object.data", "object/data", lambda client, given: client.object.data(FOLDER), Exactly(b"\x08\x01")),
    Example(
        "object.get",
        "object/get",
        lambda client, given: client.object.get(FOLDER),
        Exactly({"Data": "\x08\x01", "Links": LINKS}),
        outdated="the two bytes of the data are not shown in print",
    ),
    Example(
        "object.links",
        "object/links",
        lambda client, given: client.object.links(FOLDER),
        Exactly({"Hash": FOLDER, "Links": LINKS}),
    ),
    Example(
        "object.stat",
        "object/stat",
        lambda client, given: client.object.stat(FOLDER),
        Exactly(
            {"LinksSize": 256, "NumLinks": 5, "Hash": FOLDER, "BlockSize": 258, "CumulativeSize": 274169, "DataSize": 2}
        ),
    ),
    Example(
        "object.diff",
        "object/diff",
        lambda client, given: client.object.diff(EMPTY, data_alone(client)),
        Like({"Changes": [{"Type": 2, "Path": "", "Before": {"/": EMPTY}, "After": {"/": EMPTY}}]}),
    ),
    Example(
        "object.patch.append_data",
        "object/patch/append-data",
        lambda client, given: client.object.patch.append_data(PUT, stream(b"bla")),
        Exactly({"Hash": APPENDED}),
    ),
    Example(
        "object.patch.add_link",
        "object/patch/add-link",
        lambda client, given: client.object.patch.add_link(APPENDED, "Johnny", APPENDED),
        Exactly({"Hash": WITH_LINK}),
    ),
    Example(
        "object.patch.rm_link",
        "object/patch/rm-link",
        lambda client, given: client.object.patch.rm_link(with_link(client), "Johnny"),
        Exactly({"Hash": APPENDED}),
    ),
    Example(
        "object.patch.set_data",
        "object/patch/set-data",
        lambda client, given: client.object.patch.set_data(with_link(client), stream(b"bla")),
        Exactly({"Hash": "QmSw3k2qkv4ZPsbu9DVEJaTMszAQWNgM1FTFYpfZeNQWrd"}),
    ),
)
