"""What I send: on the disk before it counts as sent, and kept until every device that is to have it says so."""

import sqlite3
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from bitdust.identity.document import IdentityDocument
from bitdust.outcome import Outcome, outcome
from bitdust.peers.waking import Waking
from bitdust.people.messages.addressees import Addressee
from bitdust.people.messages.couriers import Courier, Means
from bitdust.people.messages.desk import Desk, Waiter
from bitdust.people.messages.letters import LOST, NOTICE_KIND, Notice, letter, notice, notice_body
from bitdust.people.messages.ports import Directory, History
from bitdust.people.messages.sessions import SessionBook
from bitdust.people.messages.store import (
    LETTER,
    NOTICE,
    Device,
    Outgoing,
    Store,
    drop_target,
    put_outgoing,
    put_sequence,
    put_target,
)
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import MASTER, PRIVATE, SIGNED_KIND, Message, conversation_of
from bitdust.wire.messages import OUTGOING as DIRECTION
from bitdust.wire.signed import Signed
from bitdust.wiring import Wire

Known = list[tuple[Device, bytes]]
"""Devices, each with its key."""


@frozen
class Sent:
    """A message that is on the disk, and what becomes of it: see `Desk.when_arrived`."""

    message: Message
    arrived: Waiter


class Letters:
    """I write what is to be sent, and have it brought to each device of its recipient, and to my other devices."""

    log = Logger()
    history = Wire(History)

    def __init__(self, around: Connected, store: Store, book: SessionBook, directory: Directory) -> None:
        self._around = around
        self._me = around.me
        self._world = around.world
        self._store = store
        self._directory = directory
        self.desk = Desk(around, store)
        self._means = Means(around, store, book, directory, self.desk)
        self._addressees: dict[bytes, Addressee] = {}
        self._sequences: dict[tuple[str, bytes], int] = {}
        self._known: set[bytes] = set()
        self._is_running = False
        self._waking = Waking(around.world)

    # its life

    async def start(self) -> None:
        """Go on with what earlier lives have left."""
        self._sequences = await self._store.sequences()
        self._is_running = True
        for row in await self._store.outgoing():
            self.desk.add(row)
            if not row.noted:
                await self._note_again(row)
            self.desk.forget_done(row)
        for person in {person for row in self.desk.rows.values() for person, _ in row.targets} | set(
            self.desk.by_person
        ):
            self._look_for(person)

    async def sign_again(self) -> None:
        """What another device key of this node has signed, as what this one says; before `start`."""
        sequences: dict[str, int] = {}
        for row in await self._store.outgoing():
            plain = await self._store.body(row.number) or b""
            again = self._sign_again(plain, row.kind, sequences)
            sealed = self._store.vault.seal(again)

            def write(database: sqlite3.Connection, number: int = row.number, sealed: bytes = sealed) -> None:
                database.execute("UPDATE outgoing SET body=? WHERE number=?", (sealed, number))
                for conversation, sequence in sequences.items():
                    put_sequence(database, conversation, self._me.device.id, sequence)

            await self._store.change(write)

    def _sign_again(self, plain: bytes, kind: int, sequences: dict[str, int]) -> bytes:
        if kind != LETTER:
            return notice(self._me.sign(NOTICE_KIND, Signed.from_bytes(plain[1:], NOTICE_KIND, len(plain)).body))
        message = Message.from_body(Signed.from_bytes(plain[1:], SIGNED_KIND, len(plain)).body)
        sequence = sequences[message.conversation] = sequences.get(message.conversation, 0) + 1
        mine = evolve(message, sender_device=self._me.device.id, sequence=sequence)
        return letter(self._me.sign(SIGNED_KIND, mine.to_body()))

    def stop(self) -> None:
        """Bring nothing any more; all that waits is on the disk."""
        self._is_running = False
        self._waking.stop()
        addressees, self._addressees = self._addressees, {}
        for one in addressees.values():
            one.machine.send("stop")
        self.desk.stop()

    async def _note_again(self, row: Outgoing) -> None:
        plain = await self._store.body(row.number)
        if plain is not None and row.kind == LETTER:
            signed = Signed.from_bytes(plain[1:], SIGNED_KIND, len(plain))
            self._note(row, Message.from_body(signed.body, DIRECTION))

    # sending

    def send(self, person: bytes, data: dict[str, Any], key: str = MASTER) -> "Deferred[Sent]":
        """Fires when the message is on the disk. Fails with ``bad-message``, ``too-large``, ``busy``, or a disk's
        codes, and then nothing is sent."""
        try:
            if not self._is_running:
                raise BitDustError("no-service", "private messages are off")
            self.desk.check_room(person)
            message = self._write_message(person, data, key)
            plain = letter(self._me.sign(SIGNED_KIND, message.to_body()))
        except BitDustError as error:
            return fail(error)
        self._sequences[message.conversation, message.sender_device] = message.sequence
        is_mine = person == self._me.fingerprint
        self._know(person)
        row = Outgoing(0, person, bytes.fromhex(message.id), self._store.late.stamp(), LETTER, False, is_mine)
        return Deferred.fromCoroutine(self._send(row, message, plain))

    def _know(self, person: bytes) -> None:
        """Somebody to whom I write is to be known after a restart too."""
        document = self._around.identities.get(person)
        if document is not None and person not in self._known:
            self._known.add(person)
            self._around.identities.keep(document)

    def _write_message(self, person: bytes, data: dict[str, Any], key: str) -> Message:
        mine, device = self._me.fingerprint, self._me.device.id
        conversation = conversation_of(mine, person)
        last = max(self._sequences.get((conversation, device), 0), self.history.last_sequence(conversation, device))
        now = int(self._world.wall() * 1000)
        ident = self._world.entropy(16).hex()
        return Message(ident, PRIVATE, conversation, mine, device, person.hex(), key, now, last + 1, data, DIRECTION)

    async def _send(self, row: Outgoing, message: Message, plain: bytes) -> Sent:
        def sequence(database: sqlite3.Connection) -> None:
            put_sequence(database, message.conversation, message.sender_device, message.sequence)

        devices = dict([*self._devices(row.person), *self._devices(self._me.fingerprint)])
        await self._post(row, plain, list(devices.items()), sequence)
        sent = Sent(message, self.desk.when_arrived(row))
        self._note(row, message)
        self._hand_out(row, plain)
        return sent

    async def _post(
        self, row: Outgoing, plain: bytes, devices: Known, also: Callable[[sqlite3.Connection], None]
    ) -> None:
        sealed = self._store.vault.seal(plain)

        def write(database: sqlite3.Connection) -> int:
            number = put_outgoing(database, row, sealed)
            for device, _ in devices:
                put_target(database, device, number)
            also(database)
            return number

        row.number = await self._store.change(write)
        if not self._is_running:
            raise BitDustError("stopping", "this node stops; the message is stored and goes on its way later")
        row.targets = {device: (False, False) for device, _ in devices}
        self.desk.add(row)

    def _hand_out(self, row: Outgoing, plain: bytes) -> None:
        """To those who bring it."""
        targets = list(row.targets)
        for device in targets:
            courier = self._courier(device)
            if courier is not None:
                courier.add(row.number, plain)
                courier.wake()
        for person in {person for person, _ in targets} | {row.person}:
            self._look_for(person)

    def _note(self, row: Outgoing, message: Message) -> None:
        """Have the history keep what I have written."""
        outcome(self.history.add(message)).addCallback(self._noted, row)

    def _noted(self, ended: Outcome, row: Outgoing) -> None:
        if ended.error is not None:
            self.log.warn("the history did not take a message: {error}", error=ended.error)
            return
        self.desk.noted(row)

    def notify(self, device: Device, what: Notice, most: int) -> None:
        """Have a device of somebody know what became of envelopes; nobody hears of it where ``most`` notices wait, or
        some for that person."""
        key = dict(self._devices(device[0])).get(device)
        if key is None or not self._is_running or not self.desk.has_room_for_notice(device[0], most):
            return
        plain = notice(self._me.sign(NOTICE_KIND, notice_body(what)))
        row = Outgoing(0, device[0], self._world.entropy(16), self._store.late.stamp(), NOTICE, True, False)
        posted = Deferred.fromCoroutine(self._post(row, plain, [(device, key)], lambda _: None))
        posted.addCallbacks(lambda _: self._hand_out(row, plain), self.desk.not_written)

    # devices

    def _document(self, person: bytes) -> IdentityDocument | None:
        return self._me.document if person == self._me.fingerprint else self._around.identities.get(person)

    def _devices(self, person: bytes) -> Known:
        """Devices of somebody that count, other than this one."""
        document = self._document(person)
        if document is None:
            return []
        mine = (self._me.fingerprint, self._me.device.id)
        found = [((person, device.id), device.key) for device in document.devices if device.revoked is None]
        return [(device, key) for device, key in found if device != mine]

    def _courier(self, device: Device) -> Courier | None:
        """Who brings things to a device; None for one that does not count."""
        courier = self.desk.couriers.get(device)
        if courier is None:
            key = dict(self._devices(device[0])).get(device)
            if key is None:
                return None
            courier = self.desk.couriers[device] = Courier(self._means, device, key)
        return courier

    def _take_up(self, device: Device) -> None:
        """A device that counts, and nobody who brings it things yet: it gets what an earlier life has left."""
        courier = self._courier(device)
        for row in self.desk.rows.values():
            if courier is not None and device in row.targets:
                is_sealed, deposited = row.targets[device]
                if is_sealed:
                    courier.add_sealed(row.number, deposited)
                else:
                    courier.add(row.number)
        if courier is not None and courier.waiting:
            courier.wake()

    def _look_for(self, person: bytes) -> None:
        if person not in self._addressees:
            self._addressees[person] = Addressee(self._around, self._directory, person, self.assign)
        self._addressees[person].machine.send("look")

    def network_is_back(self) -> None:
        """Whoever was not found, and devices that were not reached, may be now."""
        self._waking.wake(self._addressees.values(), lambda one: one.machine.send("network-back"))
        self._waking.wake(self.desk.couriers.values(), lambda one: one.online())

    def upkeep(self) -> None:
        """Give up what is too old, and follow nobody for whom nothing waits."""
        self.desk.upkeep()
        idle = [device for device, courier in self.desk.couriers.items() if not courier.waiting]
        for device in idle:
            self.desk.couriers.pop(device).stop()
        wanted = {person for person, _ in self.desk.couriers} | set(self.desk.by_person)
        for person in [one for one in self._addressees if one not in wanted]:
            self._addressees.pop(person).machine.send("stop")

    def document_known(self, person: bytes) -> None:
        """There is a newer document of somebody, or of mine."""
        addressee = self._addressees.get(person)
        if addressee is not None:
            addressee.machine.send("document")

    def device_online(self, device: Device) -> None:
        """A device has a session with this node."""
        courier = self.desk.couriers.get(device)
        if courier is not None:
            courier.online()

    def assign(self, person: bytes) -> None:
        """Bring what waits for a person to the devices that count now, and to no other."""
        living = {device for device, _ in self._devices(person)}
        for device in living - set(self.desk.couriers):
            self._take_up(device)
        is_mine = person == self._me.fingerprint
        for row in list(self.desk.rows.values()):
            theirs = {device for device in row.targets if device[0] == person}
            wants = row.kind == LETTER and row.person == person and not row.reached and not is_mine
            gone, more = theirs - living, living - theirs if wants else set()
            if gone or more:
                self._assign(row, gone, more)
        for device in [one for one in self.desk.couriers if one[0] == person and one not in living]:
            self.desk.couriers.pop(device).stop()

    def _assign(self, row: Outgoing, gone: set[Device], more: set[Device]) -> None:
        for device in gone:
            row.targets.pop(device, None)
            self.desk.drop(device, row.number)
        for device in more:
            row.targets[device] = (False, False)
        if self.desk.forget_done(row):
            return

        def write(database: sqlite3.Connection) -> None:
            for device in gone:
                drop_target(database, device, row.number, False)
            for device in more:
                put_target(database, device, row.number)

        self._store.change(write).addCallbacks(lambda _: self._assigned(row, more), self.desk.not_written)

    def _assigned(self, row: Outgoing, more: set[Device]) -> None:
        for device in more:
            courier = self._courier(device) if self._is_running else None
            if courier is not None and device in row.targets:
                courier.add(row.number)
                courier.wake()

    # what other nodes report

    def noticed(self, person: bytes, device: bytes, what: Notice) -> None:
        """Somebody has fetched envelopes from a mailbox, or has lost the device that they were sealed for."""
        Deferred.fromCoroutine(self._noticed(person, device, what)).addErrback(self.desk.not_written)

    async def _noticed(self, person: bytes, device: bytes, what: Notice) -> None:
        for number, target in await self._store.sealed_as(person, what.envelopes):
            row = self.desk.rows.get(number)
            if row is None:
                continue
            if what.about == LOST:
                if target == device and (person, target) in self.desk.couriers:
                    self.desk.couriers[person, target].begin_anew()
                more = set() if row.reached else {one for one, _ in self._devices(person)}
                self._assign(row, {(person, target)}, more)
            elif target == device:
                self.desk.drop((person, target), number)
                self.desk.has_arrived((person, target), number, False)
