"""The identity document: who a user is, where the document is, and which devices may speak for the user.

The format is fixed in ``docs/formats.md``, section 2. The signature covers canonical bytes, never the XML text.
"""

import base64
import binascii
import re
import struct
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from attrs import define, evolve, field, frozen

from bitdust.crypt.device import device_id
from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.names import IDURL, USER_NAME, BadName
from bitdust.wire.revisions import is_leap

VERSION = 1
WITH_FORMER = 2
"""The version of a document that names former devices too; without them it is of version 1."""
MIN_SIZE = 200
MAX_SIZE = 50_000
MAX_SOURCES = 6
MAX_DEVICES = 8
MAX_FORMER = 200
ROOM = 3600
"""Bytes of a document that fit a record of the DHT: no former device is named at the price of not being found."""
WITHOUT_END = 2**63 - 1
"""The `Device.sequence` of one that was let go for a newer one, not revoked: all that it wrote counts."""
OPEN_END = WITHOUT_END - 1
"""The same of one that was revoked, until it is known how much it had written: so long none of that is lost."""
MAX_REVISION = 2**31
_DOMAIN = b"BitDust identity 1\0"
DATE = "%Y-%m-%dT%H:%M:%SZ"
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_NAMESPACE = re.compile(rb"\sxmlns\s*[:=]")
_FORMER = struct.Struct(">HI32sIQ")
"""A former device: number, since, key, revoked, sequence."""
_FORMER_XML = -(-_FORMER.size // 3) * 4
_PARTS = ("name", "sources", "revision", "date", "publickey", "devices", "signature")


@frozen
class Device:
    """One device: its Ed25519 key counts from revision ``since``; ``revoked`` is the revision that ended it.

    Log entries of a revoked device count up to ``sequence``.
    """

    number: int
    since: int
    key: bytes
    revoked: int | None = None
    sequence: int | None = None

    @property
    def id(self) -> bytes:
        """Eight bytes that name the key."""
        return device_id(self.key)

    @property
    def was_let_go(self) -> bool:
        """Whether it went because there was no place for it any more: it does not count, and nothing is amiss."""
        return self.revoked is not None and self.sequence == WITHOUT_END

    def as_map(self) -> dict[str, Any]:
        """The fields that are signed."""
        fields: dict[str, Any] = {"number": self.number, "since": self.since, "key": self.key}
        if self.revoked is not None:
            fields |= {"revoked": self.revoked, "sequence": self.sequence or 0}
        return fields


@define(frozen=True, slots=False)
class IdentityDocument:
    """A checked document; make one with `parse` or `create`."""

    name: str
    sources: tuple[IDURL, ...]
    revision: int
    date: str
    key: bytes
    devices: tuple[Device, ...]
    signature: bytes = field(repr=False)
    former: tuple[Device, ...] = ()
    """Devices that count no more, and have no place any more; what they signed before can still be read."""

    @property
    def idents(self) -> frozenset[bytes]:
        """Ids of all devices that it names, former ones too."""
        return frozenset(one.id for one in (*self.devices, *self.former))

    def passed_over(self, roots: Collection[bytes]) -> frozenset[bytes]:
        """Devices that are none of these, and older than the newest one of them."""
        numbers = {one.id: one.number for one in (*self.devices, *self.former)}
        newest = max((numbers[root] for root in roots if root in numbers), default=0)
        return frozenset(ident for ident, number in numbers.items() if number < newest and ident not in roots)

    def newer_than(self, roots: Collection[bytes]) -> frozenset[bytes]:
        """Devices that are newer than all of these."""
        return frozenset(one.id for one in (*self.devices, *self.former)) - {*roots} - self.passed_over(roots)

    @property
    def open_ends(self) -> frozenset[bytes]:
        """Devices that were revoked, of which it is not known yet how much they had written."""
        return frozenset(one.id for one in (*self.devices, *self.former) if one.sequence == OPEN_END)

    @property
    def revoked_devices(self) -> int:
        """How many devices were revoked: for each there is room in the key ring."""
        return sum(one.revoked is not None and not one.was_let_go for one in (*self.devices, *self.former))

    @classmethod
    def create(
        cls,
        master: MasterKey,
        sources: tuple[IDURL, ...],
        revision: int,
        devices: tuple[Device, ...],
        wall: float,
        former: tuple[Device, ...] = (),
    ) -> "IdentityDocument":
        """A new document, signed; ``wall`` is the time in seconds since the epoch. Of ``former`` as many as fit."""
        date = datetime.fromtimestamp(wall, UTC).strftime(DATE)
        name = sources[0].name if sources else ""
        blank = bytes((master.public.bits + 7) // 8)
        unsigned = cls(name, sources, revision, date, master.public.spki, devices, blank, former[-MAX_FORMER:])
        room = ROOM if len(evolve(unsigned, former=()).xml) <= ROOM else MAX_SIZE * 4 // 5
        # One stays in any case: it says up to when others may have gone (`forgot_until`).
        while len(unsigned.former) > 1 and len(unsigned.xml) > room:
            unsigned = evolve(unsigned, former=unsigned.former[1:])
        _check(unsigned)
        return evolve(unsigned, signature=master.sign(unsigned.canonical))

    @classmethod
    def parse(cls, xml: bytes) -> "IdentityDocument":
        """Raises `WireError` ``too-large``, ``malformed`` or ``bad-signature``."""
        return _parsed(xml)

    @cached_property
    def public(self) -> MasterPublic:
        """The RSA key."""
        return MasterPublic.from_spki(self.key)

    @cached_property
    def fingerprint(self) -> bytes:
        """The internal name of the user."""
        return self.public.fingerprint

    @cached_property
    def canonical(self) -> bytes:
        """What the RSA key signs."""
        fields: dict[str, Any] = {
            "version": self.version,
            "name": self.name,
            "sources": [str(source) for source in self.sources],
            "revision": self.revision,
            "date": self.date,
            "key": self.key,
            "devices": [device.as_map() for device in self.devices],
        }
        return _DOMAIN + encode(fields | ({"former": _packed(self.former)} if self.former else {}))

    @property
    def version(self) -> int:
        """The version of the format that it needs."""
        return WITH_FORMER if self.former else VERSION

    @cached_property
    def xml(self) -> bytes:
        """The document as it is served."""
        sources = "".join(f"<source>{escape(str(source))}</source>" for source in self.sources)
        devices = "".join(_device_xml(device) for device in self.devices)
        former = f"  <former>{_b64(_packed(self.former))}</former>\n" if self.former else ""
        return (
            f'<?xml version="1.0" encoding="utf-8"?>\n<identity version="{self.version}">\n'
            f"  <name>{self.name}</name>\n  <sources>{sources}</sources>\n  <revision>{self.revision}</revision>\n"
            f"  <date>{self.date}</date>\n  <publickey>{_b64(self.key)}</publickey>\n"
            f"  <devices>{devices}</devices>\n{former}  <signature>{_b64(self.signature)}</signature>\n</identity>\n"
        ).encode()

    @property
    def idurl(self) -> IDURL:
        """The first source."""
        return self.sources[0]

    @property
    def global_id(self) -> str:
        """``alice@host_8084``, of the first source."""
        return self.idurl.global_id

    def goes_before(self, other: "IdentityDocument") -> bool:
        """Whether it is this one of two of a fingerprint that counts: the higher revision, then the lower bytes."""
        return (self.revision, other.canonical) > (other.revision, self.canonical)

    @property
    def is_claim(self) -> bool:
        """Revision 0: a recovering device's word, never stored."""
        return self.revision == 0

    @property
    def forgot_until(self) -> int:
        """Up to which revision devices may have gone that are named no more: there was no room for more of them."""
        is_whole = len(self.former) < MAX_FORMER and len(self.xml) + _FORMER_XML <= ROOM
        return 0 if is_whole or not self.former else min(device.revoked or 0 for device in self.former)

    def device(self, ident: bytes) -> Device | None:
        """The device with this id, revoked or former or not."""
        return next((device for device in (*self.devices, *self.former) if device.id == ident), None)

    def valid_device(self, key: bytes) -> bool:
        """Whether this Ed25519 key may open sessions."""
        return any(device.key == key and device.revoked is None for device in self.devices)

    def as_json(self, contacts: list[str] | None = None, with_xml: bool = False) -> dict[str, Any]:
        """The fields of `identity_get`."""
        shown: dict[str, Any] = {
            "name": self.name,
            "idurl": str(self.idurl),
            "global_id": self.global_id,
            "fingerprint": self.fingerprint.hex(),
            "sources": [str(source) for source in self.sources],
            "contacts": list(contacts or []),
            "certificates": [],
            "scrubbers": [],
            "postage": "1",
            "date": self.date,
            "version": str(self.version),
            "revision": self.revision,
            "publickey": self.public.to_pem(),
            "devices": [
                {"id": device.id.hex(), "number": device.number, "since": device.since, "revoked": device.revoked}
                for device in self.devices
            ],
            "signature": self.signature.hex(),
        }
        if with_xml:
            shown["xml"] = self.xml.decode()
        return shown


def compare(new: IdentityDocument, old: IdentityDocument) -> str:
    """``newer``, ``refresh``, ``stale``, ``conflict`` or ``leap``, of two documents of one fingerprint."""
    if is_leap(new.revision, old.revision):
        return "leap"
    if new.revision != old.revision:
        return "newer" if new.revision > old.revision else "stale"
    return "refresh" if new.canonical == old.canonical else "conflict"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _device_xml(device: Device) -> str:
    ended = f' revoked="{device.revoked}" sequence="{device.sequence or 0}"' if device.revoked is not None else ""
    return f'<device number="{device.number}" since="{device.since}"{ended} key="{_b64(device.key)}"/>'


def _malformed(text: str) -> WireError:
    return WireError("malformed", f"identity document: {text}")


@lru_cache(maxsize=64)
def _parsed(xml: bytes) -> IdentityDocument:
    """The same few documents come again and again: in each Hello of a peer, and with each record of the DHT."""
    document = _read(xml)
    _check(document)
    if not document.public.verify(document.signature, document.canonical):
        raise WireError("bad-signature", "the identity document is not signed by its own key")
    return document


def _read(xml: bytes) -> IdentityDocument:
    if len(xml) > MAX_SIZE:
        raise WireError("too-large", f"identity document: {len(xml)} bytes; at most {MAX_SIZE} are accepted")
    if len(xml) < MIN_SIZE:
        raise _malformed(f"{len(xml)} bytes are too few")
    body = xml.removeprefix(b'<?xml version="1.0" encoding="utf-8"?>')
    if b"<!" in body or b"<?" in body or b"&" in body.replace(b"&amp;", b""):
        raise _malformed("no DTD, entity, comment, CDATA or processing instruction is accepted")
    # A null is how the parser takes bytes for UTF-16, in which a DTD would hide from the search above.
    if b"\0" in body or _NAMESPACE.search(body):
        raise _malformed("no null character and no namespace is accepted")
    try:
        body.decode()
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError) as error:
        raise _malformed(f"not XML: {error}") from error
    wanted = {str(VERSION): _PARTS, str(WITH_FORMER): (*_PARTS[:-1], "former", _PARTS[-1])}
    names = wanted.get(root.attrib.get("version", ""))
    if root.tag != "identity" or len(root.attrib) != 1 or names is None:
        raise _malformed(f"not an identity of version {VERSION} or {WITH_FORMER}")
    if [child.tag for child in root] != list(names) or _is_stray(root):
        raise _malformed("its elements are not " + ", ".join(names))
    parts = {child.tag: child for child in root}
    return IdentityDocument(
        _text(parts["name"]),
        tuple(_source(child) for child in _children(parts["sources"], "source", MAX_SOURCES)),
        _number(_text(parts["revision"]), MAX_REVISION),
        _text(parts["date"]),
        _bytes(_text(parts["publickey"])),
        tuple(_device(child) for child in _children(parts["devices"], "device", MAX_DEVICES)),
        _bytes(_text(parts["signature"])),
        _former(_bytes(_text(parts["former"]))) if "former" in parts else (),
    )


def _packed(devices: tuple[Device, ...]) -> bytes:
    rows = [(one.number, one.since, one.key, one.revoked or 0, one.sequence or 0) for one in devices]
    return b"".join(_FORMER.pack(*row) for row in rows)


def _former(data: bytes) -> tuple[Device, ...]:
    if not 0 < len(data) <= MAX_FORMER * _FORMER.size or len(data) % _FORMER.size:
        raise _malformed(f"<former> holds 1 to {MAX_FORMER} devices of {_FORMER.size} bytes")
    devices = tuple(Device(*row) for row in _FORMER.iter_unpack(data))
    if any(one.since > MAX_REVISION or (one.revoked or 0) > MAX_REVISION for one in devices):
        raise _malformed("a former device is of a revision out of range")
    return devices


def _text(element: ElementTree.Element) -> str:
    if len(element) or element.attrib:
        raise _malformed(f"<{element.tag}> holds more than text")
    return (element.text or "").strip()


def _is_stray(element: ElementTree.Element) -> bool:
    """Whether there is text between the children."""
    return any((text or "").strip() for text in (element.text, *(child.tail for child in element)))


def _children(element: ElementTree.Element, tag: str, most: int) -> list[ElementTree.Element]:
    children = list(element)
    others = any(child.tag != tag for child in children)
    if not 1 <= len(children) <= most or element.attrib or _is_stray(element) or others:
        raise _malformed(f"<{element.tag}> holds 1 to {most} <{tag}>")
    return children


def _source(element: ElementTree.Element) -> IDURL:
    try:
        return IDURL.parse(_text(element))
    except BadName as error:
        raise _malformed(str(error)) from error


def _device(element: ElementTree.Element) -> Device:
    fields = dict(element.attrib)
    allowed = ({"number", "since", "key"}, {"number", "since", "key", "revoked", "sequence"})
    if set(fields) not in allowed or len(element) or (element.text or "").strip():
        raise _malformed("a <device> has number, since, key, and revoked with sequence")
    key = _bytes(fields["key"])
    if len(key) != 32:
        raise _malformed("a device key has 32 bytes")
    revoked = _number(fields["revoked"], MAX_REVISION) if "revoked" in fields else None
    sequence = _number(fields["sequence"], 2**63 - 1) if "sequence" in fields else None
    return Device(_number(fields["number"], 65535), _number(fields["since"], MAX_REVISION), key, revoked, sequence)


def _number(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20 or int(text) > most or str(int(text)) != text:
        raise _malformed(f"{text[:30]!r} is not a number up to {most}")
    return int(text)


def _bytes(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed(f"not base64: {error}") from error
    if _b64(data) != text:
        raise _malformed("not canonical base64")
    return data


def _check(document: IdentityDocument) -> None:
    all_devices = (*document.devices, *document.former)
    rules: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: USER_NAME.fullmatch(document.name) is not None, "the name is not 3 to 20 of a-z 0-9 - _"),
        (lambda: 1 <= len(document.sources) <= MAX_SOURCES, f"1 to {MAX_SOURCES} sources are allowed"),
        (lambda: len(set(document.sources)) == len(document.sources), "a source stands there twice"),
        (lambda: all(source.name == document.name for source in document.sources), "a source has another name"),
        (lambda: 1 <= len(document.devices) <= MAX_DEVICES, f"1 to {MAX_DEVICES} devices are allowed"),
        (lambda: len({device.key for device in all_devices}) == len(all_devices), "a device twice"),
        (lambda: len({d.number for d in document.devices}) == len(document.devices), "a device number twice"),
        (lambda: _DATE.fullmatch(document.date) is not None, "the date is not of the form 2026-11-21T03:41:59Z"),
        (lambda: 0 <= document.revision <= MAX_REVISION, "the revision is out of range"),
    )
    for holds, text in rules:
        if not holds():
            raise _malformed(text)
