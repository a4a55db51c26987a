"""Who may call the RPC: programs of this machine, and no page in a browser that was not allowed.

Everybody who reaches the port may do everything, as with the daemons that clients know. What a web page can make a
browser send is refused: a foreign Origin or Referer, a browser that names neither, and a Host that is not this machine,
behind which a name was made to point here (DNS rebinding).
"""

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from attrs import frozen

from bitdust.web.dialect import Head, Reply
from bitdust.web.guard import LOCAL_HOSTS
from bitdust.web.ipfs.answers import COMMON, refused, text

FORBIDDEN = "403 - Forbidden"
WRONG_HOST = f"{FORBIDDEN}: this Host is not allowed; see the setting services/ipfs/allowed-hosts"
WRONG_ORIGIN = f"{FORBIDDEN}: this page is not allowed; see the setting services/ipfs/allowed-origins"


@frozen
class RpcGuard:
    """``origins`` are those that a person has allowed, ``hosts`` names of this machine beside the usual ones."""

    origins: Callable[[], Iterable[str]]
    hosts: Callable[[], Iterable[str]]

    def admit(self, head: Head) -> Reply | bytes:
        """Header lines for every answer to this request, or the reply for who is not let in."""
        if not self._is_here(head.single(b"Host")):
            return refused(403, 4, WRONG_HOST)
        origin = head.single(b"Origin")
        if origin is not None and not self._is_allowed(origin):
            return refused(403, 4, WRONG_ORIGIN)
        headers = b"Access-Control-Allow-Origin: %s\r\n" % origin if origin is not None else b""
        if head.method == b"OPTIONS":
            return Reply(204, COMMON + headers + b"Allow: OPTIONS, POST\r\n")
        if head.method != b"POST":
            return text(405, "405 - Method Not Allowed", headers + b"Allow: OPTIONS, POST\r\n")
        referer = head.single(b"Referer")
        if origin is None and not (self._is_allowed(referer) if referer is not None else self._is_program(head)):
            return refused(403, 4, WRONG_ORIGIN)
        return headers

    def _is_program(self, head: Head) -> bool:
        agent = head.single(b"User-Agent") or b""
        return not agent.startswith(b"Mozilla") and head.single(b"Sec-Fetch-Site") in (None, b"same-origin", b"none")

    def _is_here(self, host: bytes | None) -> bool:
        if host is None:
            return False
        try:
            name = urlsplit(f"//{host.decode('ascii')}").hostname
        except ValueError:
            return False
        return name is not None and (name in LOCAL_HOSTS or name in self.hosts())

    def _is_allowed(self, page: bytes) -> bool:
        """An origin, or the address of a page of one."""
        try:
            parts = urlsplit(page.decode("ascii"))
            site = f"{parts.scheme}://{parts.netloc}"
            return site in self.origins() or (parts.scheme in ("http", "https") and parts.hostname in LOCAL_HOSTS)
        except ValueError:
            return False
