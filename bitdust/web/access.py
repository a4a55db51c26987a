"""Who is let in to the dialects of the API, and the envelopes that they answer with."""

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import NO_CONTENT

from bitdust.api.envelope import Envelope, failed
from bitdust.web.dialect import Head, Reply
from bitdust.web.guard import Guard, Refusal
from bitdust.web.render import pretty

JSON_HEADERS = b"Content-Type: application/json\r\nCache-Control: no-store\r\n"
PREFLIGHT_HEADERS = (
    b"Access-Control-Allow-Methods: GET, POST, PUT, DELETE\r\n"
    b"Access-Control-Allow-Headers: api_secret, content-type\r\nAccess-Control-Max-Age: 600\r\n"
)


@frozen
class Access:
    """The rules of one port: Host and Origin first, then the secret in the header ``api_secret``."""

    guard: Guard
    clock: IReactorTime

    def admit(self, head: Head, without_secret: bool = False) -> Reply | bytes:
        """Header lines for every answer to this request; a reply for a browser that asks before it calls (CORS
        preflight), and for everybody who is not let in."""
        origin = head.single(b"Origin")
        refusal = self.guard.refuse(head.single(b"Host"), origin, head.single(b"Sec-Fetch-Site"))
        if refusal is not None:
            return self.refusal(refusal, head)
        headers = b""
        if origin is not None:
            headers = b"Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n" % origin
            if head.method == b"OPTIONS":
                return Reply(NO_CONTENT, headers + PREFLIGHT_HEADERS)
        secret = head.single(b"Api_secret")
        if not (without_secret and secret is None):
            refusal = self.guard.refuse_secret(secret)
            if refusal is not None:
                return self.refusal(refusal, head, headers)
        return headers

    def refusal(self, refusal: Refusal, head: Head | None, headers: bytes = b"") -> Reply:
        """An HTTP status of its own, and an envelope."""
        return self.envelope(refusal.status, failed(refusal.code, refusal.text), head, headers)

    def envelope(self, status: int, envelope: Envelope, head: Head | None, headers: bytes = b"") -> Reply:
        """An envelope, with the time that it took."""
        return Reply(status, headers + JSON_HEADERS, pretty(self.stamped(envelope, head)))

    def stamped(self, envelope: Envelope, head: Head | None) -> Envelope:
        """With the seconds since the request began."""
        seconds = self.clock.seconds() - head.started if head is not None else 0.0
        envelope["execution"] = f"{max(0.0, seconds):.6f}"
        return envelope


def only_get(access: Access, head: Head, headers: bytes) -> Reply | None:
    """A refusal of every other verb, for what can only be read."""
    if head.method in (b"GET", b"HEAD"):
        return None
    refusal = Refusal(405, "bad-verb", f"{head.path.decode('latin-1')} takes GET")
    return access.refusal(refusal, head, headers + b"Allow: GET\r\n")
