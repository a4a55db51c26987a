"""From what is asked for to a reply: the block at the end of a path, and the form in which it is sent.

Everything that can be wrong is found before the first byte. What fails later cuts the connection: nothing that is not
whole ends like a whole answer.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

from attrs import frozen

from bitdust.ipfs import archive, cars
from bitdust.ipfs.blocks import get
from bitdust.ipfs.paths import Path
from bitdust.ipfs.reading import Node, What, entries, find, node_of, read
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.cid import Cid
from bitdust.web.dialect import Head, Reply
from bitdust.web.gateway.asking import TYPES, Asked, Form, is_known
from bitdust.web.gateway.kinds import HTML, SAMPLE, TEXT, by_name, by_sample
from bitdust.web.gateway.pages import listing
from bitdust.web.gateway.ranges import Range, ranges_of
from bitdust.wire.errors import BitDustError

INDEX = "index.html"
LISTING = 1
"""Another number wherever lists look otherwise: they have the tag of their directory, and this."""
SANDBOX = b"sandbox allow-scripts allow-forms allow-modals allow-popups allow-downloads"
COMMON = (
    b"X-Content-Type-Options: nosniff\r\nReferrer-Policy: same-origin\r\nX-Frame-Options: SAMEORIGIN\r\n"
    b"Content-Security-Policy: %s\r\nVary: Accept\r\n" % SANDBOX
)
"""All pages come from one origin, so each is put into one of its own by the sandbox: a page may load what is here, and
cannot read it, nor what another page stored. Elsewhere's pages cannot frame it."""
FOREVER = b"Cache-Control: private, max-age=29030400, immutable\r\n"
ASK_AGAIN = b"Cache-Control: private, no-cache\r\n"
NEVER = b"Cache-Control: no-store\r\n"


@frozen
class Found:
    """A block at the end of a path, the path to it, and whether that stays the same for ever."""

    cid: Cid
    path: Path
    is_fixed: bool


class Server:
    """Answers one request out of a room."""

    def __init__(self, room: IpfsRoom, head: Head) -> None:
        self._room = room
        self._head = head

    async def reply(self, asked: Asked) -> Reply:
        """Raises `BitDustError`."""
        found = await self._found(asked.path)
        if asked.form is not Form.FILE:
            return await self._blocks(asked, found)
        node = await node_of(self._room.blocks, found.cid)
        if node.what is What.DIRECTORY:
            return await self._folder(asked, found)
        if node.what is What.OTHER:
            text = f"{found.cid} is neither a file nor a directory: ?format=raw gives its bytes, ?format=car all of it"
            raise BitDustError("no-file", text)
        return await self._file(asked, found, node, asked.path.segments[-1] if asked.path.segments else "")

    # where a path leads

    async def _found(self, path: Path) -> Found:
        whole = await self._room.named(path)
        there = await find(self._room.blocks, whole)
        if there.rest:
            raise BitDustError("no-link", f'no link named "{there.rest[0]}" under {there.cid}')
        return Found(there.cid, whole, path.root is not None)

    # blocks

    async def _blocks(self, asked: Asked, found: Found) -> Reply:
        """As bytes of one block, or as an archive of everything below it."""
        form, kind = asked.form, TYPES[asked.form]
        weak = b"" if form is Form.RAW else b"W/"
        etag = b'%s"%s.%s"' % (weak, str(found.cid).encode(), form.value.encode())
        headers = self._headers(found, etag)
        if is_known(self._head.single(b"If-None-Match"), etag):
            return Reply(304, headers)
        ending = "bin" if form is Form.RAW else form.value
        headers += _disposition(asked.filename or f"{found.cid}.{ending}", is_download=True)
        if form is Form.RAW:
            data = await get(self._room.blocks, found.cid)
            return Reply(200, headers + _type(kind), data)
        if form is Form.CAR:
            pieces, kind = cars.export(self._room.blocks, found.cid), f"{kind}; version=1; order=dfs; dups=n"
        else:
            node = await node_of(self._room.blocks, found.cid)
            pieces = archive.tar(self._room.blocks, node, str(found.cid))
        if self._head.method == b"HEAD":
            await get(self._room.blocks, found.cid)
            return Reply(200, headers + _type(kind), _nothing())
        return Reply(200, headers + _type(kind), await begun(pieces))

    # directories

    async def _folder(self, asked: Asked, found: Found) -> Reply:
        if not asked.is_folder:
            return self._redirect(asked)
        try:
            inside = await find(self._room.blocks, Path(found.cid, (INDEX,)))
        except BitDustError as error:
            if error.code != "no-link":
                raise
            return await self._list(asked, found)
        node = await node_of(self._room.blocks, inside.cid)
        if node.what is What.FILE:
            return await self._file(asked, Found(inside.cid, found.path, found.is_fixed), node, INDEX)
        return await self._list(asked, found)

    def _redirect(self, asked: Asked) -> Reply:
        """To the same path with a slash, from which relative names lead on."""
        where = quote(str(asked.path), errors="surrogateescape").encode() + b"/"
        where += b"?" + asked.query.translate(None, b"\r\n") if asked.query else b""
        return Reply(302, COMMON + ASK_AGAIN + b"Location: %s\r\n" % where)

    async def _list(self, asked: Asked, found: Found) -> Reply:
        etag = b'"DirIndex-%d_%s"' % (LISTING, str(found.cid).encode())
        headers = self._headers(found, etag, b"default-src 'none'; style-src 'unsafe-inline'; " + SANDBOX)
        if is_known(self._head.single(b"If-None-Match"), etag):
            return Reply(304, headers)
        links = await entries(self._room.blocks, found.cid)
        page = await self._room.in_thread(listing, str(asked.path), bool(asked.path.segments), links)
        return Reply(200, headers + _type(HTML), page)

    # files

    async def _file(self, asked: Asked, found: Found, node: Node, name: str) -> Reply:
        etag = b'"%s"' % str(found.cid).encode()
        headers = self._headers(found, etag) + b"Accept-Ranges: bytes\r\n"
        if is_known(self._head.single(b"If-None-Match"), etag):
            return Reply(304, headers)
        if asked.filename or asked.is_download:
            headers += _disposition(asked.filename or name or str(found.cid), asked.is_download)
        if node.what is What.SYMLINK:
            return Reply(200, headers + _type(TEXT), node.target.encode("utf-8", "surrogateescape"))
        kind = by_name(asked.filename or name) or by_sample(await self._bytes(found.cid, Range(0, SAMPLE)))
        chosen = self._ranges(etag, node.size)
        if chosen is None:
            return await self._whole(found.cid, node.size, headers + _type(kind))
        if not chosen:
            return Reply(416, COMMON + NEVER + b"Content-Range: bytes */%d\r\n" % node.size)
        if len(chosen) > 1:
            return await self._parts(found.cid, node.size, headers, kind, chosen)
        (one,) = chosen
        headers += _type(kind) + b"Content-Range: %s\r\n" % one.content_range(node.size)
        return Reply(206, headers, await begun(self._pieces(found.cid, chosen)), one.length)

    def _ranges(self, etag: bytes, size: int) -> list[Range] | None:
        """The ranges that are asked for, where what the client has of the file is of this one (RFC 9110, 13.1.5)."""
        condition = self._head.single(b"If-Range")
        if self._head.method != b"GET" or condition not in (None, etag):
            return None
        return ranges_of(self._head.single(b"Range"), size)

    async def _whole(self, cid: Cid, size: int, headers: bytes) -> Reply:
        if self._head.method == b"HEAD":
            return Reply(200, headers, _nothing(), size)
        return Reply(200, headers, await begun(self._pieces(cid, [Range(0, size)])), size)

    async def _parts(self, cid: Cid, size: int, headers: bytes, kind: str, chosen: Sequence[Range]) -> Reply:
        boundary = secrets.token_hex(16).encode()
        heads = [
            b"\r\n--%s\r\n%sContent-Range: %s\r\n\r\n" % (boundary, _type(kind), one.content_range(size))
            for one in chosen
        ]
        end = b"\r\n--%s--\r\n" % boundary
        length = sum(map(len, heads)) + sum(one.length for one in chosen) + len(end)
        headers += _type(f"multipart/byteranges; boundary={boundary.decode()}")
        return Reply(206, headers, await begun(self._pieces(cid, chosen, heads, end)), length)

    async def _pieces(
        self, cid: Cid, chosen: Sequence[Range], heads: Sequence[bytes] = (), end: bytes = b""
    ) -> AsyncIterator[bytes]:
        for number, one in enumerate(chosen):
            if heads:
                yield heads[number]
            _, pieces = await read(self._room.blocks, cid, one.start, one.length)
            async for piece in pieces:
                yield piece
        if end:
            yield end

    async def _bytes(self, cid: Cid, one: Range) -> bytes:
        return b"".join([piece async for piece in self._pieces(cid, [one])])

    def _headers(self, found: Found, etag: bytes, policy: bytes = SANDBOX) -> bytes:
        where = quote(str(found.path), errors="surrogateescape").encode()
        return (
            COMMON.replace(SANDBOX, policy)
            + (FOREVER if found.is_fixed else ASK_AGAIN)
            + b"ETag: %s\r\nX-Ipfs-Path: %s\r\nX-Ipfs-Roots: %s\r\n" % (etag, where, str(found.path.root).encode())
        )


async def begun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces, of which the first one is here: an error until then is one before the head."""
    first: list[bytes] = []
    async for piece in pieces:
        first.append(piece)
        break
    return _go_on(first, pieces)


async def _go_on(first: list[bytes], pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        for piece in first:
            yield piece
        first.clear()
        async for piece in pieces:
            yield piece
    finally:
        close: Any = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


async def _nothing() -> AsyncIterator[bytes]:
    """Of a reply whose head is all that is sent."""
    return
    yield


def _type(kind: str) -> bytes:
    return b"Content-Type: %s\r\n" % kind.encode("latin-1")


def _disposition(name: str, is_download: bool) -> bytes:
    """How a client is to call it (RFC 6266); letters that are none in a header are escaped."""
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\' else "_" for letter in name
    )
    word = b"attachment" if is_download else b"inline"
    quoted = quote(name, safe="", errors="replace").encode()
    return b"Content-Disposition: %s; filename=\"%s\"; filename*=UTF-8''%s\r\n" % (
        word,
        plain[:200].encode(),
        quoted[:600],
    )
