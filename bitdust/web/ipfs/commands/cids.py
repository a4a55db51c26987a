"""CIDs and multibase as text: what a CID says, and the same in another form. No block is read."""

import re
from collections.abc import AsyncIterator, Callable, Iterable

from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld import multibase, multihash
from bitdust.ipld.cid import CODECS, DAG_PB, Cid
from bitdust.ipld.errors import FormatError
from bitdust.ipld.multibase import BASE58, BASES
from bitdust.ipld.multihash import FUNCTIONS
from bitdust.web.ipfs.arguments import BOOL, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import base_of, one_file
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Lines, Row, Whole
from bitdust.wire.errors import BitDustError

MOST_TEXT = 1 << 20
USUAL, PREFIX = "%s", "%P"
CODEC_NAMES = {code: name for name, code in CODECS.items()}
_DIRECTIVE = re.compile("%(.)")


async def form(room: IpfsRoom, call: Call) -> Answer:
    options = call.options
    shape, version, name = options["f"], options["v"] or None, options["mc"] or options["codec"]
    base = base_of(options["b"]) if options["b"] else None
    shape = PREFIX if shape == "prefix" else shape
    if version not in (None, "0", "1"):
        raise BadCall(f"invalid cid version: {version[:20]!r}")
    if name is not None and name not in CODECS:
        raise BadCall(f"unknown multicodec name: {name[:100]!r}")
    if base is not None and base != BASE58 and version == "0":
        raise BadCall("cannot represent a CID of version 0 in any other base than base58btc")
    _need_shape(shape)

    def write(cid: Cid, text: str) -> str:
        own = BASES[text[0]] if cid.version else BASE58
        return _written(_changed(cid, version, name, base), shape, base or own)

    return Lines(_formed(call.arguments["cid"], write))


async def base32(room: IpfsRoom, call: Call) -> Answer:
    return Lines(_formed(call.arguments["cid"], lambda cid, _: cid.to_v1().text()))


async def _formed(texts: list[str], write: Callable[[Cid, str], str]) -> AsyncIterator[Row]:
    """One that is none is a row with an error; the others go on."""
    for text in texts:
        try:
            row = {"CidStr": text, "Formatted": write(Cid.parse(text), text), "ErrorMsg": ""}
        except BitDustError as error:
            row = {"CidStr": text, "Formatted": "", "ErrorMsg": str(error)}
        yield row


def _changed(cid: Cid, version: str | None, name: str | None, base: multibase.Base | None) -> Cid:
    if name is not None:
        if not cid.version and version != "1" and CODECS[name] != DAG_PB:
            raise FormatError("unsupported", "a CID of version 0 is of a dag-pb node")
        cid = Cid(cid.version if CODECS[name] == DAG_PB else 1, CODECS[name], cid.multihash)
    if version == "0":
        return cid.to_v0()
    return cid.to_v1() if version == "1" or base not in (None, BASE58) else cid


def _need_shape(shape: str) -> None:
    for letter in _DIRECTIVE.findall(shape):
        if letter not in "%bBvVcChHLmMdDsSP":
            raise BadCall(f"unrecognized format directive: %{letter}")


def _written(cid: Cid, shape: str, base: multibase.Base) -> str:
    """As a format with directives such as ``%v`` says."""
    return _DIRECTIVE.sub(lambda found: _part(cid, found[1], base), shape)


def _part(cid: Cid, letter: str, base: multibase.Base) -> str:
    """Of the binary parts, the small letters have the character of their base in front."""
    code, digest = multihash.split(cid.multihash)
    function = FUNCTIONS[code].name if code in FUNCTIONS else f"0x{code:x}"
    codec = CODEC_NAMES.get(cid.codec, f"0x{cid.codec:x}")
    binary = {"m": cid.multihash, "d": digest, "s": bytes(cid)}
    if letter.lower() in binary:
        if letter in "sS" and not cid.version:
            return str(cid)
        text = multibase.encode(binary[letter.lower()], base.prefix)
        return text if letter.islower() else text[1:]
    return {
        "%": "%",
        "b": base.name,
        "B": base.prefix,
        "v": f"cidv{cid.version}",
        "V": str(cid.version),
        "c": codec,
        "C": str(cid.codec),
        "h": function,
        "H": str(code),
        "L": str(len(digest)),
        "P": f"cidv{cid.version}-{codec}-{function}-{len(digest)}",
    }[letter]


# lists


async def bases(room: IpfsRoom, call: Call) -> Answer:
    return Json([{"Name": base.name, "Code": ord(base.prefix)} for base in BASES.values()])


async def codec_names(room: IpfsRoom, call: Call) -> Answer:
    return Json(_named((code, name) for name, code in CODECS.items()))


async def hashes(room: IpfsRoom, call: Call) -> Answer:
    return Json(_named((code, function.name) for code, function in FUNCTIONS.items()))


def _named(rows: Iterable[tuple[int, str]]) -> list[Row]:
    return [{"Name": name, "Code": code} for code, name in sorted(rows)]


# multibase


async def encode(room: IpfsRoom, call: Call) -> Answer:
    base = base_of(call.options["b"])
    data = await one_file(call, MOST_TEXT)
    return _text((await room.in_thread(multibase.encode, data, base.prefix)).encode())


async def decode(room: IpfsRoom, call: Call) -> Answer:
    return _text(await _decoded(room, call))


async def transcode(room: IpfsRoom, call: Call) -> Answer:
    base = base_of(call.options["b"])
    data = await _decoded(room, call)
    return _text((await room.in_thread(multibase.encode, data, base.prefix)).encode())


async def _decoded(room: IpfsRoom, call: Call) -> bytes:
    text = await one_file(call, 2 * MOST_TEXT)
    data: bytes = await room.in_thread(multibase.decode, text.decode("utf-8", "replace").strip())
    return data


def _text(data: bytes) -> Whole:
    return Whole(data)


_CIDS = (Argument("cid", variadic=True),)
_BASE = (Option(("b",), default="base64url"),)
_NUMERIC = (Option(("numeric",), BOOL, default=False), Option(("supported", "s"), BOOL, default=False))
ROWS = (
    Command(
        "cid/format",
        form,
        _CIDS,
        (
            Option(("f",), default=USUAL),
            Option(("v",)),
            Option(("codec",)),
            Option(("mc",)),
            Option(("b",)),
        ),
    ),
    Command("cid/base32", base32, _CIDS),
    Command("cid/bases", bases, options=(Option(("prefix",), BOOL, default=False), *_NUMERIC)),
    Command("cid/codecs", codec_names, options=_NUMERIC),
    Command("cid/hashes", hashes, options=_NUMERIC),
    Command("multibase/encode", encode, options=_BASE, file="file"),
    Command("multibase/decode", decode, file="encoded_file"),
    Command("multibase/transcode", transcode, options=_BASE, file="encoded_file"),
    Command("multibase/list", bases, options=(Option(("prefix",), BOOL, default=False), *_NUMERIC)),
)
