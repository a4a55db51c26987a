"""Lists of devices in an identity document: eight at most, each key once, each number once; and who was let go."""

from collections.abc import Collection, Iterable

from attrs import evolve

from bitdust.identity.document import MAX_DEVICES, OPEN_END, WITHOUT_END, Device, IdentityDocument

Devices = tuple[Device, ...]


def with_new_device(document: IdentityDocument, key: bytes, revision: int) -> Devices:
    """The list with one more device, which counts from ``revision``.

    Where all eight places are taken one goes: a revoked device before any other, the oldest of them first.
    """
    number = max(device.number for device in (*document.devices, *document.former)) + 1
    return (*_with_room(document.devices, b""), Device(number, revision, key))


def former(devices: Devices, revision: int, *documents: IdentityDocument) -> Devices:
    """Who is in some of these documents and has no place among ``devices`` any more, those that went last at the end.

    Who was not revoked before counts to the end of what it wrote, and no more from ``revision`` on.
    """
    living = {device.key for device in devices}
    found: dict[bytes, Device] = {}
    for device in (one for document in documents for one in (*document.former, *document.devices)):
        if device.key not in living:
            gone = device if device.revoked is not None else evolve(device, revoked=revision, sequence=WITHOUT_END)
            known = found.get(device.key)
            found[device.key] = gone if known is None else _joined(known, gone)
    return tuple(sorted(found.values(), key=lambda device: (device.revoked or 0, device.number, device.key)))


def with_revoked(document: IdentityDocument, idents: Collection[bytes], sequence: int = OPEN_END) -> IdentityDocument:
    """The lists of a document in which these devices count no more, from its next revision on; not signed.

    Of what they wrote as much counts as ``sequence`` says. One that was let go before is distrusted from now on, and
    of one that was revoked before it is said how much it had written, where that was not known yet.
    """

    def ended(device: Device) -> Device:
        if device.id not in idents or (device.revoked is not None and (device.sequence or 0) <= sequence):
            return device
        revision = document.revision + 1 if device.revoked is None else device.revoked
        if device.revoked is not None and (device.sequence or 0) < OPEN_END:
            return device
        return evolve(device, revoked=revision, sequence=sequence)

    return evolve(document, devices=tuple(map(ended, document.devices)), former=tuple(map(ended, document.former)))


def _with_room(devices: Devices, kept: bytes) -> Devices:
    if len(devices) < MAX_DEVICES:
        return devices
    others = [device for device in devices if device.key != kept]
    goes = min(others, key=lambda device: (device.revoked is None, device.number))
    return tuple(device for device in devices if device is not goes)


def union(mine: IdentityDocument, other: IdentityDocument, this: bytes) -> Devices:
    """The devices of two documents of one identity that were changed at the same time; the same from both sides.

    A device that is revoked in one of them is revoked, and one that has no place any more in one of them gets none,
    whether its name is still known there or went long ago. As much counts of what it wrote as the one knows that knows
    more; nobody may end that before anybody knows. Of two new devices with one number one takes the next free one. Of
    more than eight those go that `with_new_device` would let go, but never ``this``, the key of this very device.
    """
    # A device keeps the number that the newest document gives it: who shows an old one again changes nothing by that.
    newest, older = (mine, other) if mine.goes_before(other) else (other, mine)
    gone = {device.key for device in (*mine.former, *other.former)} | _forgotten(mine, other) | _forgotten(other, mine)
    found: dict[bytes, Device] = {}
    for device in (one for one in (*newest.devices, *older.devices) if one.key not in gone):
        known = found.get(device.key)
        found[device.key] = device if known is None else _joined(known, device)
    devices = _numbered(found.values(), gone={device.number for device in (*mine.former, *other.former)})
    while len(devices) > MAX_DEVICES:
        devices = _with_room(devices, this)
    return devices


def _forgotten(one: IdentityDocument, other: IdentityDocument) -> set[bytes]:
    """Devices of the one document that were let go in the other so long ago that it names them no more.

    One that was added that early elsewhere, and that the other never knew, has to be added again.
    """
    named = {device.key for device in (*other.devices, *other.former)}
    return {device.key for device in one.devices if device.key not in named and device.since <= other.forgot_until}


def _joined(one: Device, other: Device) -> Device:
    ends = [device for device in (one, other) if device.revoked is not None]
    since = min(one.since, other.since)
    if not ends:
        return Device(one.number, since, one.key)
    sequences = [device.sequence or 0 for device in ends]
    known = [sequence for sequence in sequences if sequence < OPEN_END]
    revoked = min(device.revoked for device in ends if device.revoked is not None)
    return Device(one.number, since, one.key, revoked, max(known) if known else min(sequences))


def _numbered(devices: Iterable[Device], gone: Collection[int]) -> Devices:
    """In order of their numbers; of those with one number the first keeps it, and none gets that of one who is gone."""
    kept: dict[int, Device] = {}
    others: list[Device] = []
    for device in sorted(devices, key=lambda device: (device.number, device.since, device.key)):
        if device.number in kept:
            others.append(device)
        else:
            kept[device.number] = device
    for device in others:
        number = max((*kept, *gone)) + 1
        kept[number] = evolve(device, number=number)
    return tuple(kept[number] for number in sorted(kept))
