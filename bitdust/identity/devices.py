"""Lists of devices in an identity document: eight at most, each key once, each number once."""

from collections.abc import Iterable

from attrs import evolve

from bitdust.identity.document import MAX_DEVICES, Device

Devices = tuple[Device, ...]


def with_new_device(devices: Devices, key: bytes, revision: int) -> Devices:
    """The list with one more device, which counts from ``revision``.

    Where all eight places are taken one goes: a revoked device before any other, the oldest of them first.
    """
    number = max(device.number for device in devices) + 1
    return (*_with_room(devices, b""), Device(number, revision, key))


def _with_room(devices: Devices, kept: bytes) -> Devices:
    if len(devices) < MAX_DEVICES:
        return devices
    others = [device for device in devices if device.key != kept]
    goes = min(others, key=lambda device: (device.revoked is None, device.number))
    return tuple(device for device in devices if device is not goes)


def union(mine: Devices, other: Devices, this: bytes) -> Devices:
    """The devices of two documents of one identity that were changed at the same time.

    A device that is revoked in one of them is revoked. Of two new devices with one number mine takes the next free one.
    Of more than eight those go that `with_new_device` would let go, but never ``this``, the key of this very device.
    """
    found = {device.key: device for device in other}
    for device in mine:
        known = found.get(device.key)
        if known is None:
            found[device.key] = _numbered(device, found.values())
        elif device.revoked is not None and known.revoked is None:
            found[device.key] = evolve(known, revoked=device.revoked, sequence=device.sequence)
    devices = tuple(sorted(found.values(), key=lambda device: device.number))
    while len(devices) > MAX_DEVICES:
        devices = _with_room(devices, this)
    return devices


def _numbered(device: Device, others: Iterable[Device]) -> Device:
    taken = {other.number for other in others}
    return device if device.number not in taken else evolve(device, number=max(taken) + 1)
