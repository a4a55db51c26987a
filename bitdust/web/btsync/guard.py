"""Who may call the API: programs with the right name and password, and no page in somebody's browser.

Every change is a GET here, which any page could make a browser send; so a request is judged by its headers first, and
by its credentials only then. A person may still type an address of the API into a browser: that request has no page
behind it, and its browser says so (``Sec-Fetch-Site: none``).
"""

from ipaddress import ip_address

from attrs import frozen

from bitdust.web.btsync.answers import refused
from bitdust.web.btsync.credentials import Credentials
from bitdust.web.dialect import Head, Reply
from bitdust.web.programs import Programs, host_of

WRONG_HOST = "this Host is not allowed; see the setting services/btsync/allowed-hosts"
WRONG_PAGE = "this page is not allowed; see the setting services/btsync/allowed-origins"
OWN_SITES = (b"none", b"same-origin")


@frozen
class BtsyncGuard:
    """``programs`` say which pages and names of this machine are allowed."""

    programs: Programs
    credentials: Credentials

    def refuse(self, head: Head) -> Reply | None:
        """The reply for who is not let in."""
        if not self._is_here(head.single(b"Host")):
            return refused(403, WRONG_HOST)
        if self._is_foreign(head):
            return refused(403, WRONG_PAGE)
        refusal = self.credentials.refuse(head.single(b"Authorization"))
        return refused(refusal.status, refusal.text) if refusal is not None else None

    def _is_here(self, host: bytes | None) -> bool:
        """An address is nothing that somebody could make point here."""
        return self.programs.is_here(host) or is_address(host_of(host))

    def _is_foreign(self, head: Head) -> bool:
        pages = [page for page in (head.single(b"Origin"), head.single(b"Referer")) if page is not None]
        if any(not self.programs.is_allowed(page) for page in pages):
            return True
        site = head.single(b"Sec-Fetch-Site")
        if pages:
            return False
        return site not in OWN_SITES if site is not None else not self.programs.is_program(head)


def is_address(name: str | None) -> bool:
    """Whether it is an IP address."""
    try:
        ip_address(name or "")
    except ValueError:
        return False
    return True
