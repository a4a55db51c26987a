"""Who may call the RPC: programs of this machine, and no page in a browser that was not allowed.

Everybody who reaches the port may do everything, as with the daemons that clients know. What a web page can make a
browser send is refused.
"""

from attrs import frozen

from bitdust.web.dialect import Head, Reply
from bitdust.web.ipfs.answers import COMMON, refused, text
from bitdust.web.programs import Programs

FORBIDDEN = "403 - Forbidden"
WRONG_HOST = f"{FORBIDDEN}: this Host is not allowed; see the setting services/ipfs/allowed-hosts"
WRONG_ORIGIN = f"{FORBIDDEN}: this page is not allowed; see the setting services/ipfs/allowed-origins"


@frozen
class RpcGuard:
    """Lets in ``programs``, and pages that a person has allowed."""

    programs: Programs

    def admit(self, head: Head) -> Reply | bytes:
        """Header lines for every answer to this request, or the reply for who is not let in."""
        if not self.programs.is_here(head.single(b"Host")):
            return refused(403, 4, WRONG_HOST)
        origin = head.single(b"Origin")
        if origin is not None and not self.programs.is_allowed(origin):
            return refused(403, 4, WRONG_ORIGIN)
        headers = b"Access-Control-Allow-Origin: %s\r\n" % origin if origin is not None else b""
        if head.method == b"OPTIONS":
            return Reply(204, COMMON + headers + b"Allow: OPTIONS, POST\r\n")
        if head.method != b"POST":
            return text(405, "405 - Method Not Allowed", headers + b"Allow: OPTIONS, POST\r\n")
        referer = head.single(b"Referer")
        if origin is None and not (
            self.programs.is_allowed(referer) if referer is not None else self.programs.is_program(head)
        ):
            return refused(403, 4, WRONG_ORIGIN)
        return headers
