"""Which requests come from programs of this machine, and not from a page in somebody's browser.

What a web page can make a browser send is told apart by its headers: a foreign Origin or Referer, a browser that names
neither, and a Host that is not this machine, behind which a name was made to point here (DNS rebinding).
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from attrs import frozen

from bitdust.config.settings import Settings
from bitdust.config.types import words
from bitdust.web.dialect import Head
from bitdust.web.guard import LOCAL_HOSTS

_HOST = re.compile(rb"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]*)?")


@frozen
class Programs:
    """``origins`` are those that a person has allowed, ``hosts`` names of this machine beside the usual ones."""

    origins: Callable[[], Iterable[str]]
    hosts: Callable[[], Iterable[str]]

    @classmethod
    def of(cls, settings: Settings, origins: str, hosts: str, *more_hosts: str) -> "Programs":
        """As the settings of these two keys name them at the time of each request."""
        return cls(lambda: words(settings.get(origins)), lambda: [*words(settings.get(hosts)), *more_hosts])

    def is_program(self, head: Head) -> bool:
        """Whether no browser sent it; asked where there is neither Origin nor Referer."""
        agent = head.single(b"User-Agent") or b""
        return not agent.startswith(b"Mozilla") and head.single(b"Sec-Fetch-Site") in (None, b"same-origin", b"none")

    def is_here(self, host: bytes | None) -> bool:
        """Whether a Host is this machine."""
        name = host_of(host)
        return name is not None and (name in LOCAL_HOSTS or name in self.hosts())

    def is_allowed(self, page: bytes) -> bool:
        """Whether an origin, or the address of a page of one, may ask."""
        try:
            parts = urlsplit(page.decode("ascii"))
            site, host = f"{parts.scheme}://{parts.netloc}", host_of(parts.netloc.encode())
            return site in self.origins() or (parts.scheme in ("http", "https") and host in LOCAL_HOSTS)
        except ValueError:
            return False


@lru_cache(256)
def host_of(host: bytes | None) -> str | None:
    """The name or address in a Host header, without its port; None for anything more than that."""
    found = _HOST.fullmatch(host or b"")
    return (found[1] or found[2]).decode("ascii").lower() if found is not None else None
