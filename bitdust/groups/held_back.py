"""What was said by a device that nobody names now: it waits until the identity of its member is known again.

Entries come with proof, but the identity that proved them may be forgotten when they are read: a member who is new here
was vouched for by the creator's word, and those of strangers are kept for a while only.
"""

from collections.abc import Callable, Sequence

from bitdust.storage.shared.member_access import MemberAccess
from bitdust.storage.shared.member_log import Said

LONGEST = 600.0
"""Seconds after which what a device has said that still nobody names is left out."""


class HeldBack:
    """I tell what may be judged; ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[bytes, float] = {}

    def ready(self, said: Sequence[Said], access: MemberAccess, mine: bytes) -> list[Said]:
        """Those of ``said`` by devices that somebody names, by this one, and by those that were waited for."""
        nameless = {one.device for one in said if one.device != mine and access.device(one.device) is None}
        now = self._clock()
        self._since = {device: self._since.get(device, now) for device in nameless}
        return [one for one in said if now - self._since.get(one.device, -LONGEST) >= LONGEST]
