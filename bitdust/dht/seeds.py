"""Seeds: nodes of the table that a newcomer asks first, as settings and key files write them."""

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from bitdust.dht.contact import Contact, reach
from bitdust.wire.addresses import split_host
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError

Seed = tuple[str, int]
SEEDS = "services/entangled-dht/known-nodes"
MOST_ADDRESSES = 2
"""Addresses of one name that are tried."""


def parse_seeds(text: str) -> list[Seed]:
    """``host:port,[2001:db8::1]:port``; the word ``genesis`` stands for nobody yet. Raises ``bad-value``."""
    seeds = []
    for part in filter(None, (item.strip() for item in text.replace(";", ",").split(","))):
        if part == "genesis":
            continue
        try:
            seeds.append(split_host(part))
        except WireError as error:
            raise BitDustError("bad-value", f"{part!r} is not a DHT node such as seed.example:14441") from error
    return seeds


def seed_contacts(seeds: list[Seed], run_in_thread: Callable[..., "Deferred[Any]"]) -> "Deferred[list[Contact]]":
    """Contacts whose keys are not known yet; names are looked up in a thread, and those without an address left out."""
    names = [seed for seed in seeds if not reach(seed[0])]
    plain = [Contact(b"", host, port) for host, port in seeds if reach(host)]
    if not names:
        return succeed(plain)

    def add(found: list[Seed]) -> list[Contact]:
        return plain + [Contact(b"", host, port) for host, port in found]

    looked_up: Deferred[list[Contact]] = run_in_thread(resolve, names).addCallback(add)
    return looked_up


def resolve(names: list[Seed]) -> list[Seed]:
    """The first addresses of each name, of both families where there are both; blocks."""
    found: list[Seed] = []
    for host, port in names:
        try:
            known = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            continue
        addresses = list(dict.fromkeys(str(item[4][0]) for item in known))
        old, new = [one for one in addresses if ":" not in one], [one for one in addresses if ":" in one]
        chosen = [old[0], new[0]] if old and new else [*old, *new]
        found.extend((address, port) for address in chosen[:MOST_ADDRESSES])
    return found
