"""Blocks between nodes: who is told a peer, or is a friend, reads what it has added; liars and the dead are left."""

import json
import random
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from bitdust.ipfs.exchange.serving import Serving
from bitdust.ipfs.exchange.wire import BLOCKS, LONGEST_CID, MOST_CIDS
from bitdust.testing.grid import GridNode
from bitdust.transport.outbox import PeerFailed
from bitdust.wire.packet import Command
from bitdust.wire.table import Answer, Request
from tests.grid.ipfs_kit import EVERYBODY, IpfsNodesCase, some_bytes


class ExchangeTests(IpfsNodesCase):
    def nodes(self, *names: str, **settings: Any) -> list[GridNode]:
        return [self.ipfs(name, **settings) for name in names]

    def test_told_peer(self) -> None:
        """Who connects to a node that shares with everybody reads a file that was added there."""
        alice, bob = self.ipfs("alice", **EVERYBODY), self.ipfs("bob")
        data = some_bytes(3_000_000)
        cid = self.adds(alice, data)
        self.assertIn("not found", self.refused(bob, "cat", cid))
        self.connects(bob, alice)
        self.assertEqual(self.asks(bob, "cat", cid), data)
        mine, its = self.asks(bob, "bitswap/stat"), self.asks(alice, "bitswap/stat")
        self.assertEqual((mine["BlocksReceived"], mine["BlocksReceived"]), (13, its["BlocksSent"]))
        self.assertEqual((mine["DataReceived"], mine["Wantlist"]), (its["DataSent"], []))
        ledger = self.asks(alice, "bitswap/ledger", self.peer(bob))
        self.assertEqual((ledger["Sent"], ledger["Recv"]), (its["DataSent"], 0))
        alice.kill()
        self.assertEqual(self.asks(bob, "cat", cid, offline=True), data)

    def test_who_is_starting(self) -> None:
        """A peer that is connected and does not know the exchange yet is asked again as soon as it may know it."""
        alice, bob = self.ipfs("alice", **EVERYBODY), self.ipfs("bob")
        cid = self.adds(alice, b"later")
        self.connects(bob, alice)
        alice.node.settings.set("services/ipfs/enabled", False)
        self.grid.until(lambda: not alice.is_on("ipfs"), 60, "the end of the service")
        self.assertIn("not found", self.refused(bob, "cat", cid))
        alice.node.settings.set("services/ipfs/enabled", True)
        self.grid.until(lambda: alice.is_on("ipfs"), 60, "the service")
        self.grid.run(10)
        self.assertEqual(self.asks(bob, "cat", cid), b"later")

    def test_friends(self) -> None:
        """By default friends are served, and nobody else: he is told so by his own node as if there was nothing."""
        alice, bob = self.nodes("alice", "bob")
        cid = self.adds(alice, b"among friends")
        self.connects(bob, alice)
        self.assertIn("not found", self.refused(bob, "cat", cid))
        self.assertEqual(self.room(alice).nodes.exchange.serving.refused, 1)
        for one, other in ((alice, bob), (bob, alice)):
            self.call(one, "friend_add", trusted_user_id=other.fingerprint.hex())
        self.asks(bob, "swarm/disconnect", f"/p2p/{self.peer(alice)}")
        self.grid.run(2)
        self.connects(bob, alice)
        self.assertEqual(self.asks(bob, "cat", cid), b"among friends")

    def test_pin_and_other_commands(self) -> None:
        """A pin brings all that is below it, and stays when the other is gone; values and blocks come as well."""
        alice, bob = self.ipfs("alice", **EVERYBODY), self.ipfs("bob")
        data = some_bytes(1_000_000)
        cid = self.adds(alice, data)
        node = self.asks(alice, "dag/put", body=b'{"a": 1}', pin=False)["Cid"]["/"]
        self.connects(bob, alice)
        self.assertEqual(self.asks(bob, "dag/get", node), {"a": 1})
        self.assertEqual(self.asks(bob, "pin/add", cid), {"Pins": [cid]})
        alice.kill()
        self.assertEqual(self.asks(bob, "cat", cid), data)
        self.assertEqual(self.asks(bob, "pin/verify"), [])

    def test_liar(self) -> None:
        """Who gives other bytes than were asked for is not believed and not asked again; another one is."""
        alice, bob, eve = self.nodes("alice", "bob", "eve", **EVERYBODY)
        data = some_bytes(600_000)
        cid = self.adds(alice, data)
        asked: list[int] = []

        def lie(request: Any) -> Answer:
            asked.append(len(request.fields["cids"]))
            return Answer(Command.DATA, {"sizes": [5] * len(request.fields["cids"])}, b"wrong" * asked[-1])

        inbox = eve.rooms.gateway.inbox
        (row,) = [one for one in inbox.rows() if (one.command, one.kind) == (Command.RETRIEVE, BLOCKS)]
        inbox.remove(row)
        inbox.add(type(row)(row.command, row.kind, row.fields, 0, row.who, row.service, lie))
        self.connects(bob, eve)
        self.assertIn("not found", self.refused(bob, "cat", cid))
        self.connects(bob, alice)
        self.assertEqual(self.asks(bob, "cat", cid), data)
        self.assertEqual(asked, [1])
        self.assertEqual(self.room(bob).nodes.exchange.counts.lies, 1)
        self.assertEqual(self.asks(bob, "bitswap/stat")["Peers"], [self.peer(alice)])

    def test_dies_in_the_middle(self) -> None:
        """A peer that dies in the middle of a file is followed by another; where there is none, the answer is cut."""
        alice, bob, carol = self.nodes("alice", "bob", "carol", **EVERYBODY)
        data = some_bytes(2_000_000)
        cid = self.adds(alice, data)
        self.adds(carol, data)
        self.connects(bob, alice)
        self.connects(bob, carol)
        self.grid.network.bandwidth = 1_000_000.0
        call = self.began(bob, "cat", cid)
        self.grid.until(lambda: call.is_over() or len(call.received) > 1, 60, "the first blocks")
        giver = max((alice, carol), key=lambda one: self.room(one).nodes.exchange.counts.blocks_sent)
        giver.kill()
        self.assertEqual(self.ended(call), data)

    def test_silence(self) -> None:
        """A peer that is there and answers nothing holds up nobody for long."""
        alice, bob = self.ipfs("alice", **EVERYBODY), self.ipfs("bob")
        cid = self.adds(alice, b"data")
        self.connects(bob, alice)
        self.grid.network.cut = lambda one, other: alice.address in (one, other)
        began = self.grid.clock.seconds()
        self.assertIn("not found", self.refused(bob, "cat", cid))
        self.assertLess(self.grid.clock.seconds() - began, 40)
        self.grid.network.cut = lambda one, other: False
        self.grid.pass_time(60)

    def test_hostile_packets(self) -> None:
        """Requests that break a limit or are no CIDs are refused, and the node goes on."""
        alice, bob = self.ipfs("alice", **EVERYBODY), self.ipfs("bob")
        self.connects(bob, alice)
        cid = bytes.fromhex("1220") + bytes(32)
        for cids, code in (
            ([], "bad-field"),
            ([cid] * (MOST_CIDS + 1), "bad-field"),
            (["text"], "bad-field"),
            ([bytes(LONGEST_CID + 1)], "bad-field"),
            ([b"\xff" * 36], "malformed"),
            ([cid + b"more"], "malformed"),
            (cid, "bad-field"),
        ):
            session = bob.rooms.gateway.session_with(alice.fingerprint)
            fields = {"kind": BLOCKS, "cids": cids}
            sending = bob.rooms.gateway.outbox.send(alice.fingerprint, Command.RETRIEVE, fields, session=session)
            error = self.assertRaises(PeerFailed, self.grid.wait, sending)
            self.assertEqual(error.code, code, json.dumps(cids, default=repr))
        found = self.adds(alice, b"x")
        self.assertEqual(self.asks(bob, "cat", found), b"x")


class Mood:
    """How a node answers: what is lost is never answered, what is late comes behind what was asked after it."""

    def __init__(self, node: GridNode, seed: int, lies: float) -> None:
        self.clock, self.random, self.lies = node.clock, random.Random(seed), lies

    async def answer(self, handler: Any, request: Request) -> Answer:
        fate, late = self.random.random(), self.random.uniform(0, 3)
        if fate < 0.2:
            await Deferred()
        if fate < 0.2 + self.lies:
            count = len(request.fields["cids"])
            return Answer(Command.DATA, {"sizes": [5] * count}, b"wrong" * count)
        if fate < 0.6:
            await deferLater(self.clock, late, lambda: None)
        return await handler(request)


class LossTests(IpfsNodesCase):
    def setUp(self) -> None:
        super().setUp()
        self.moods: dict[Any, Mood] = {}
        for name in ("blocks", "haves"):
            self.patch(Serving, name, self.moody(getattr(Serving, name)))

    def moody(self, usual: Any) -> Any:
        """The handlers of those that have a mood."""

        def handler(serving: Serving, request: Request) -> Any:
            mood, answer = self.moods.get(serving), partial(usual, serving)
            return answer(request) if mood is None else mood.answer(answer, request)

        return handler

    def test_loss_delays_and_a_liar(self) -> None:
        """Where answers are lost, late, or lies, a file comes whole, or its call ends with an error; nothing stays."""
        givers = [self.ipfs(name, **EVERYBODY) for name in ("alice", "carol", "eve")]
        bob = self.ipfs("bob")
        for number, giver in enumerate(givers):
            serving = self.room(giver).nodes.exchange.serving
            self.moods[serving] = Mood(giver, number, 0.7 if number == 2 else 0.0)
            self.connects(bob, giver)
        exchange = self.room(bob).nodes.exchange
        came = 0
        for seed in range(2):
            data = some_bytes(800_000, seed)
            for giver in givers:
                cid = self.adds(giver, data)
            self.assertEqual(self.asks(bob, "cat", cid, timeout="300s"), data)
            hurried = some_bytes(600_000, 100 + seed)
            cid = [self.adds(giver, hurried) for giver in givers][0]
            call = self.began(bob, "cat", cid)
            self.grid.until(call.is_over, 120, "an end")
            if call.ended is True and call.reply.status == 200:
                came += 1
                self.assertEqual(b"".join(call.received), hurried)
            self.assertEqual((exchange.sessions, exchange.wantlist()), ([], []))
        self.assertGreater(came, 0)
        self.assertEqual(exchange.counts.lies, 1)
        self.assertEqual([one.id for one in bob.rooms.around.registry if one.name == "ipfs_fetch"], [])
