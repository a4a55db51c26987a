"""Whom I let into keys of mine: grants in the key ring, and a `shared_access_donor` for each that counts."""

import hashlib
from collections.abc import Callable, Iterator

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.crypt.keyring import MASTER, RingKey
from bitdust.crypt.shares import GivenShare, Grant
from bitdust.identity.ring_change import ring_change
from bitdust.outcome import outcomes
from bitdust.peers.again import AskAgain
from bitdust.peers.own_devices import sessions_of
from bitdust.peers.shown import Names
from bitdust.ports import Session
from bitdust.replication import members as seated
from bitdust.shares.donation import Donation
from bitdust.shares.offer import write_offer
from bitdust.shares.ports import GroupKeepers, MyFamily, OfferRecords
from bitdust.shares.published import Publishing, is_published
from bitdust.shares.writers import WritersDevices
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.capability import MOST_DAYS, Capability, Right, ShownCapability, shown_end
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import GROUP_PREFIX
from bitdust.wire.packet import Command
from bitdust.wire.schema import U63
from bitdust.wire.signed import Signed
from bitdust.wiring import Wire

KIND = "share"
SECONDS = 30.0
DAY = 86_400
LATEST = MOST_DAYS * DAY
LONGEST = LATEST - DAY
RENEWED_BEFORE = 60 * DAY
"""So long before its end a capability that has no end of its own is given again."""
LOOK_AGAIN = 600.0
"""Seconds after which what everybody has is compared again: a clock may have been set right."""
READER = (Right.READ, Right.LIST)
Place = tuple[str, bytes]
"""Alias of the key and holder."""


class Donations:
    """I let people into keys of mine, bring them what they need, and keep it new, from `start` to `stop`."""

    log = Logger()
    groups = Wire(GroupKeepers)
    records = Wire(OfferRecords)

    def __init__(self, around: Connected, family: MyFamily) -> None:
        self.registry = around.registry
        self._around = around
        self._me = around.me
        self._family = family
        self._running: dict[Place, Donation] = {}
        self._removers: list[Callable[[], None]] = []
        self.writers_changed: Signal[[]] = Signal()
        """A device of somebody who may write is known now."""
        self.changed: Signal[[str]] = Signal()
        """Somebody was let into a key with this alias, or shut out."""
        self.granted: Signal[[str, bytes]] = Signal()
        """Alias of a key and name of a grant, when the person gives it at this node."""
        self._timer: IDelayedCall | None = None
        self._again = AskAgain(around.world.clock, self._may_bring, self._bring_again)
        """Where a device did not take what another one has just taken, by the name of the grant."""
        self._publishing = Publishing(around.world)
        self._writers_devices = WritersDevices(around.me)

    def start(self) -> None:
        """Bring everybody what changed while this node was away."""
        self._removers = [
            self._family.changed.connect(self.refresh),
            self._me.changed.connect(self.refresh),
            self._around.events.subscribe(lambda _: self.refresh(), "my-keys-synchronized"),
            self._around.sessions.on_session(self._session),
            self._around.identities.changed.connect(lambda document: self._known(document.fingerprint)),
        ]
        self.refresh()

    def stop(self) -> None:
        """Bring nothing any more."""
        while self._removers:
            self._removers.pop()()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._again.stop()
        running, self._running = self._running, {}
        for donation in running.values():
            donation.machine.send("shutdown")

    # what the person decides

    def grant(self, alias: str, holder: bytes, rights: tuple[Right, ...], quota: int, ends: int | None) -> Donation:
        """Let somebody into a key of mine, or change what it may do; the end is a year ahead where none is said, and
        moves on. Who had forgotten it has it again. Raises `BitDustError` ``key-not-found``, ``not-allowed``,
        ``keys-not-ready``, ``bad-argument``."""
        self._grant(alias, holder, rights, quota, ends)
        return self._running[alias, holder]

    def let_in(self, alias: str, holder: bytes) -> None:
        """Let whoever has the holder's key read under a key of mine, where that is not so. Raises as `grant` does."""
        if self.grant_of(alias, holder) is None:
            self._grant(alias, holder, READER, 0, None)

    def _grant(self, alias: str, holder: bytes, rights: tuple[Right, ...], quota: int, ends: int | None) -> None:
        self._need_grantable(alias)
        now = int(self._around.world.wall())
        if ends is not None and not now < ends <= now + LONGEST:
            raise BitDustError("bad-argument", f"a grant ends within {MOST_DAYS - 1} days from now")
        with ring_change(self._me) as ring:
            # A revoked device may know all that it has.
            ring.ensure_secret(alias, self._around.world.entropy, self._me.device_number)
            known = self._kept(alias, Grant(b"", holder, rights, quota, now, ends or now + LATEST))
            ident = known.id if known is not None else self._around.world.entropy(16)
            # Of two states of one grant the later one wins: this one, though the clock was ahead for the other.
            begun, before = (max(now, known.since + 1), known.ends) if known is not None else (now, 0)
            ends = ends or max(begun + LONGEST, before)
            ring.grant(alias, Grant(ident, holder, rights, quota, max(begun, self._last(alias)), ends))
        self.granted.emit(alias, ident)
        self._around.events.send("share-granted", self._shown(alias, holder))
        self.changed.emit(alias)
        self.refresh()

    def _kept(self, alias: str, wanted: Grant) -> Grant | None:
        """The grant that somebody has, if it may go on. Where less is given than before, what was signed for more would
        count until its end: it is revoked, and another takes its place. One that two devices gave goes on alone."""
        kept = None
        for known in reversed([one for one in self.grants(alias) if one.holder == wanted.holder]):
            if kept is None and known.goes_on_as(wanted):
                kept = known
            else:
                self._me.key_ring.grant(alias, evolve(known, revoked=True))
        return kept

    def _last(self, alias: str) -> int:
        """The first second that is later than all grants of a folder's key began: a ring keeps the last of them."""
        grants = self._me.key_ring.get(alias).grants if is_published(alias) else ()
        return 1 + max((one.since for one in grants if one.since < U63), default=-1)

    def _need_grantable(self, alias: str) -> None:
        key = self._me.key_ring.get(alias)
        if alias == MASTER:
            raise BitDustError("not-allowed", "the master key is yours alone; make a share, and store there")
        if "$" in alias:
            raise BitDustError("not-allowed", "a key of somebody else is given by its owner alone")
        if not key.secrets or not key.scopes or self._holders(alias) is None:
            joining = "; join the group, then you and its members keep it" if alias.startswith(GROUP_PREFIX) else ""
            raise BitDustError("keys-not-ready", f"you have no suppliers yet who could hold what is shared{joining}")

    def _holders(self, alias: str) -> Signed | None:
        """The signed record of who holds what is under a key: my suppliers, or members of a group while I have none."""
        if alias.startswith(GROUP_PREFIX) and not seated(self._family.current):
            return self.groups.keepers(alias)
        return self._family.signed

    def take_back(self, alias: str, holder: bytes) -> None:
        """Somebody may not read what is new any more: suppliers are told, and a new secret is made. What the person has
        already stays readable for it. Raises `BitDustError` ``not-found``."""
        grants = [one for one in self.grants(alias) if one.holder == holder]
        if not grants:
            raise BitDustError("not-found", "this person was not let in")
        self.revoke(alias, grants)  # several, where two devices of mine let it in before they heard of each other

    def revoke(self, alias: str, grants: list[Grant]) -> None:
        """Take back these grants; whoever has another one stays let in, and is brought the new secret."""
        with ring_change(self._me) as ring:
            for grant in grants:
                ring.grant(alias, evolve(grant, revoked=True))
            if not is_published(alias):  # whoever has the secret behind the holder could read what is new all the same
                ring.renew_secret(alias, self._around.world.entropy, self._me.device_number)
        for holder in sorted({grant.holder for grant in grants}):
            if self.grant_of(alias, holder) is None:
                self._around.events.send("share-revoked", self._shown(alias, holder))
        self.changed.emit(alias)
        self.refresh()

    def grant_of(self, alias: str, holder: bytes) -> Grant | None:
        """The grant that counts for somebody: of several the last, which is the one that is brought."""
        return next((one for one in reversed(self.grants(alias)) if one.holder == holder), None)

    def grants(self, alias: str) -> list[Grant]:
        """Those of a key that count."""
        key, now = self._me.key_ring.keys.get(alias), self._around.world.wall()
        return [one for one in key.grants if one.counts(now)] if key is not None and not key.erased else []

    def of(self, alias: str) -> list[Donation]:
        """What is brought to the holders of a key."""
        return [one for (name, _), one in self._running.items() if name == alias]

    def unfound(self, alias: str, holder: bytes) -> str:
        """Why whoever has the holder's key would not find what it is let into; empty where that is not known."""
        if self.grant_of(alias, holder) is None:
            return ""
        donation = self._running.get((alias, holder))
        off = "it is not written into the DHT as long as service_key_exchange is off"
        return donation.problem if donation is not None else off

    # what follows

    def waiting(self) -> list[Donation]:
        """Those whose holders could not be reached."""
        return [one for one in self._running.values() if one.machine.state == "WAITING"]

    def jitter(self) -> float:
        """A random number from 0 to 1."""
        return int.from_bytes(self._around.world.entropy(2), "big") / 65536

    def refresh(self, once_more: bool = False) -> None:
        """Look again who is to have what; what was refused or lacks is tried ``once_more``, not who is away."""
        if not self._removers:
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._around.world.clock.callLater(LOOK_AGAIN, self.refresh, True)
        if self._me.present and self._writers_devices.note(self._around.identities):
            self.writers_changed.emit()
        wanted = dict(self._wanted())
        for place, donation in list(self._running.items()):
            if place not in wanted or wanted[place][1].id != donation.ident:
                del self._running[place]
                donation.machine.send("shutdown")
        for (alias, holder), (key, grant) in wanted.items():
            self._renew_end(key, grant)
            known = self._running.get((alias, holder))
            if known is None:
                begun = self._running[alias, holder] = Donation(self, alias, grant.id, holder)
                begun.machine.send("start")
            elif self._is_due(known, once_more):
                known.machine.send("changed")

    def _is_due(self, donation: Donation, once_more: bool) -> bool:
        digest = self.digest(donation)
        again = once_more and donation.machine.state != "WAITING"  # who is away is called after a pause of its own
        return digest != donation.tried or (again and (digest != donation.delivered or self._is_behind(donation)))

    def _may_bring(self, grant: bytes) -> bool:
        donation = self._named(grant)
        return donation is not None and donation.machine.state == "DELIVERED" and self._is_behind(donation)

    def _bring_again(self, grant: bytes) -> None:
        if (donation := self._named(grant)) is not None:
            donation.machine.send("changed")

    def _named(self, grant: bytes) -> Donation | None:
        return next((one for one in self._running.values() if one.ident == grant), None)

    def _is_behind(self, donation: Donation) -> bool:
        """Whether a device of the holder is here that has not taken what another one has."""
        if is_published(donation.alias):
            return False  # it is brought to no device
        sessions = sessions_of(self._around.sessions, donation.holder)
        return any(donation.lacks(one.peer.device) for one in sessions)

    def _known(self, fingerprint: bytes) -> None:
        """Something newer is known of somebody."""
        if any(grant.holder == fingerprint for key in self._me.key_ring.keys.values() for grant in key.grants):
            self.refresh()

    def _wanted(self) -> "Iterator[tuple[Place, tuple[RingKey, Grant]]]":
        now = self._around.world.wall()
        for key in self._me.key_ring.living():
            if is_published(key.key_id):  # what was offered to everybody with a key is withdrawn from there as well
                shut = [grant for grant in key.grants if grant.revoked and now < grant.ends]
                yield from (((key.key_id, grant.holder), (key, grant)) for grant in shut)
            counting = [grant for grant in key.grants if grant.counts(now)]
            if counting and key.usable and key.scopes and self._holders(key.key_id) is not None:
                for grant in counting:
                    yield (key.key_id, grant.holder), (key, grant)

    def _renew_end(self, key: RingKey, grant: Grant) -> None:
        """A grant that lasted as long as one can goes on: nobody is shut out by forgetting it."""
        now = int(self._around.world.wall())
        goes_on = grant.ends - grant.since >= LONGEST or is_published(key.key_id)
        if grant.counts(now) and goes_on and grant.ends - now < RENEWED_BEFORE:
            self._me.key_ring.grant(key.key_id, evolve(grant, ends=now + LONGEST))
            self._me.save_key_ring()

    def _session(self, session: object, up: bool) -> None:
        if up:
            peer = session.peer  # type: ignore[attr-defined]
            for (alias, holder), donation in list(self._running.items()):
                if holder == peer.fingerprint and not is_published(alias):
                    self._again.forget(donation.ident)
                    is_behind = donation.lacks(peer.device) and donation.machine.state != "WAITING"
                    donation.machine.send("changed" if is_behind else "holder-came")

    # what each donation asks

    def digest(self, donation: Donation) -> bytes:
        """What its holder is to have, by a digest that time alone does not change."""
        grant = self._given(donation)
        offer = b"" if grant.revoked else write_offer(evolve(self._share(donation), given=0), grant.since)
        digest = hashlib.sha256(offer).digest()
        return self._publishing.digest(digest, self._me.document.revision) if is_published(donation.alias) else digest

    async def deliver(self, donation: Donation) -> None:
        """Bring it to all devices that are there. Fails as `Outbox.send` does where none takes it."""
        grant, digest = self._given(donation), self.digest(donation)
        donation.tried, share = digest, None if grant.revoked else self._share(donation)
        if is_published(donation.alias):
            await self._publishing.publish(self.records, grant, write_offer(share, grant.since) if share else b"")
        elif share is not None:
            await self._bring_to_all(donation, grant, share, digest)
        donation.delivered = digest

    async def _bring_to_all(self, donation: Donation, grant: Grant, share: GivenShare, digest: bytes) -> None:
        sessions = self._around.sessions
        await sessions.session_to(grant.holder)
        found = sessions_of(sessions, grant.holder)
        over = [one for one in found if donation.at.get(one.peer.device) != digest]
        ends = await outcomes(Deferred.fromCoroutine(self._bring(grant, share, session)) for session in over)
        for session, end in zip(over, ends, strict=True):
            if end.error is None:
                donation.at[session.peer.device] = digest
        failed = [end.error for end in ends if end.error is not None]
        self._again.later(grant.id) if failed else self._again.forget(grant.id)
        if any(donation.at.get(one.peer.device) == digest for one in found):  # its person has it, and uses it there
            failed = [error for error in failed if not donation.is_refusal(error)]
        if failed and len(failed) == len(ends):
            raise failed[0]

    async def _bring(self, grant: Grant, share: GivenShare, session: Session) -> None:
        """Where the device has one that is dated later, because my clock was ahead then, this one takes its place."""
        held = await self._send(grant, share, session)
        if held >= share.given:
            await self._send(grant, evolve(share, given=min(held + 1, U63)), session)

    async def _send(self, grant: Grant, share: GivenShare, session: Session) -> int:
        """Bring an offer; when the one was given which the device keeps in its place, 0 where it keeps this one."""
        offer, fields, send = write_offer(share, grant.since), {"kind": KIND}, self._around.outbox.send
        reply = await send(grant.holder, Command.KEY, fields, offer, deadline=SECONDS, session=session)
        held = reply.fields.get("given", 0)
        return held if type(held) is int else 0

    def _given(self, donation: Donation) -> Grant:
        return next(one for one in self._me.key_ring.get(donation.alias).grants if one.id == donation.ident)

    def _share(self, donation: Donation) -> GivenShare:
        key, grant = self._me.key_ring.get(donation.alias), self._given(donation)
        signed = self._holders(donation.alias)
        if signed is None:
            raise BitDustError("keys-not-ready", "there is nobody any more who holds what is shared")
        me, now = self._me, int(self._around.world.wall() * 1000)
        quota, by_proof, ends = self._quota(key, grant), is_published(key.key_id), shown_end(grant.ends, now // 1000)
        given = [
            Capability(grant.id, me.fingerprint, grant.holder, grant.rights, quota, ends, scope, by_proof)
            for scope in sorted(key.scopes)
        ]
        shown = [ShownCapability.of(me.sign(Capability.KIND, one.to_body())).to_bytes() for one in given]
        share = GivenShare(
            me.fingerprint, key.key_id, me.global_id, key.label, now, dict(key.secrets), tuple(shown), signed.to_bytes()
        )
        current, _ = self._me.key_ring.current(key.key_id)
        if key.key_id.startswith(GROUP_PREFIX):
            members = self.members(key.key_id)
            names = [me.global_id, *(Names.of(self._around.identities, who).global_id for who in members[1:])]
            return evolve(share, members=tuple(members), names=tuple(names), current=current)
        writers = tuple(one.writer for one in key.grants if one.writes and one.devices)
        return evolve(share, writers=writers, current=current)

    def _quota(self, key: RingKey, grant: Grant) -> int:
        """Bytes for one supplier: of a file each has one part of k; of a group's log each has all."""
        family = self._family.current
        k = family.k if family is not None and not key.key_id.startswith(GROUP_PREFIX) else 1
        return -(-grant.quota // k)

    def shut_out(self, alias: str) -> list[bytes]:
        """Names of capabilities of a key that were taken back and have not ended yet."""
        key, now = self._me.key_ring.keys.get(alias), self._around.world.wall()
        return [one.id for one in key.grants if one.revoked and now < one.ends] if key is not None else []

    def members(self, alias: str) -> list[bytes]:
        """Me, and those whom I let into a key of mine."""
        return [self._me.fingerprint, *sorted({grant.holder for grant in self.grants(alias)})]

    def report(self, donation: Donation) -> None:
        """A donation has come to a holder, or has not."""
        if is_published(donation.alias):
            return  # it came to nobody in particular, and is written again each day
        data = self._shown(donation.alias, donation.holder)
        if donation.problem:
            reason = {"reason": donation.problem[:500]}
            self._around.events.send("private-key-share-failed", data | reason)
        else:
            self._around.events.send("private-key-shared", data)

    def _shown(self, alias: str, holder: bytes) -> dict[str, str]:
        names = Names.of(self._around.identities, holder)
        return {
            "key_id": f"{alias}${self._me.global_id}",
            "fingerprint": holder.hex(),
            "global_id": names.global_id,
            "remote_idurl": names.idurl,
        }
