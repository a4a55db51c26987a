"""One grant that counts: the port of its `shared_access_donor`, and what its holder has of it."""

from typing import Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Registry
from bitdust.automats.shared_access_donor import SharedAccessDonor
from bitdust.outcome import outcome

REFUSALS = ("not-allowed", "bad-signature", "bad-field", "too-many-shares", "too-many-keys")
"""Codes after which asking again would not help. Who does not know the command is starting, or takes no keys now."""


class Bringing(Protocol):
    """What a grant asks; `bitdust.shares.donations.Donations` is it."""

    @property
    def registry(self) -> Registry: ...

    async def deliver(self, donation: "Donation", /) -> None:
        """Bring its holder what it needs."""

    def jitter(self) -> float:
        """A random number from 0 to 1."""

    def report(self, donation: "Donation", /) -> None:
        """It has come, or has not."""


class Donation:
    """One grant: the port of its machine."""

    def __init__(self, donations: Bringing, alias: str, grant: bytes, holder: bytes) -> None:
        self._donations = donations
        self.alias = alias
        self.ident = grant
        self.holder = holder
        self.delivered = b""
        """The digest of what the holder has."""
        self.tried = b""
        """The digest of what was brought to it last, whether it was taken or not."""
        self.at: dict[bytes, bytes] = {}
        """The same of each of its devices, which may not hear of it from another one."""
        self.problem = ""
        self.machine = SharedAccessDonor(donations.registry, f"{alias}/{holder.hex()[:8]}", self)

    @property
    def is_on_its_way(self) -> bool:
        """Whether it is not known yet whether its holder gets it."""
        return not self.delivered and not self.problem

    def lacks(self, device: bytes) -> bool:
        """Whether a device of the holder has not what another one has."""
        return bool(self.delivered) and self.at.get(device) != self.delivered

    def hurry(self) -> None:
        """Its holder may be reached now."""
        self.machine.send("holder-came")

    def deliver(self) -> "Deferred[object]":
        return Deferred.fromCoroutine(self._donations.deliver(self))

    def is_refusal(self, reason: object) -> bool:
        return getattr(getattr(reason, "value", reason), "code", "") in REFUSALS

    def jitter(self) -> float:
        return self._donations.jitter()

    def report_delivered(self) -> None:
        self.problem = ""
        self._donations.report(self)

    def report_failed(self, reason: object) -> None:
        self.problem = str(getattr(reason, "value", reason) or "no answer")
        self._donations.report(self)


async def delivered(donation: Donation, clock: object, seconds: float) -> str:
    """Wait until it has come to its holder, or is refused; the state of its machine then."""
    machine = donation.machine
    if machine.state == "DELIVERED":
        return machine.state
    waiting = machine.when("DELIVERED", "REFUSED", *machine.final).addTimeout(seconds, clock)  # type: ignore[arg-type]
    found = await outcome(waiting)
    return str(found.value) if found.error is None else machine.state
