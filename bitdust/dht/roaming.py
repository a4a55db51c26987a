"""Finding somebody by chance: a fair pick among the members of a layer, with proof of who he is."""

from collections import OrderedDict
from collections.abc import Callable

from attrs import frozen

from bitdust.crypt.device import check_record, device_id
from bitdust.dht.contact import Contact
from bitdust.dht.ids import ID_BYTES, number
from bitdust.dht.lookup import Goal, Lookup
from bitdust.dht.messages import Message
from bitdust.dht.peers import Peers
from bitdust.dht.records import Checker
from bitdust.dht.rpc import Rpc
from bitdust.wire.encoding import WireError
from bitdust.wire.records import DeviceAddresses
from bitdust.wire.signed import Signed

ROUNDS = 3
MAX_KNOWN = 2000


@frozen
class NodeInfo:
    """A node and its owner, proven: the certificate binds the device key to the RSA key ``spki`` (DER).

    ``device`` is the device id (8 bytes), ``addresses`` are ``tcp://host:port``.
    """

    fingerprint: bytes
    device: bytes
    device_key: bytes
    addresses: tuple[str, ...]
    spki: bytes
    node_id: bytes
    address: str


def read_info(contact: Contact, reply: Message, checker: Checker) -> NodeInfo | None:
    """Who a node says it is; None for a node without an owner. Raises `WireError` when it lies."""
    owner, body, signed = reply.get("owner"), reply.get("certificate"), reply.get("addresses")
    if owner is None or body is None or signed is None:
        return None
    certificate = checker.certificate(owner, body)
    if certificate.key != contact.key:
        raise WireError("bad-subject", "the certificate is another device's")
    record = Signed.from_bytes(signed, DeviceAddresses.KIND, 1500)
    check_record(record, contact.key)
    addresses = DeviceAddresses.from_body(record.body)
    if (addresses.owner, addresses.device) != (certificate.owner, device_id(contact.key)):
        raise WireError("bad-subject", "the addresses are somebody else's")
    return NodeInfo(
        certificate.owner,
        addresses.device,
        contact.key,
        tuple(addresses.addresses),
        owner,
        contact.id,
        contact.text,
    )


class Acquaintances:
    """Remembers which node belongs to whom, so that those who are not wanted are not asked again."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._owners: OrderedDict[bytes, bytes] = OrderedDict()

    def meet(self, contact: Contact, reply: Message) -> NodeInfo | None:
        """Who a node proves to be, remembered from now on; None when it has no owner, or lies."""
        try:
            info = read_info(contact, reply, self._checker)
        except WireError:
            return None
        if info is not None:
            self._remember(info)
        return info

    def _remember(self, info: NodeInfo) -> None:
        self._owners[info.node_id] = info.fingerprint
        if len(self._owners) > MAX_KNOWN:
            self._owners.popitem(last=False)

    def owner(self, contact: Contact) -> bytes | None:
        """The fingerprint of the node's owner, if known."""
        return self._owners.get(contact.id)


@frozen
class Wanted:
    """Somebody of a layer, but nobody of these owners."""

    layer: int
    exclude: frozenset[bytes]


class RandomPick:
    """Looks around a random place of the key space and takes one of the twenty nodes found there at random.

    A node's chance is its share of the key space around it, evened out over twenty neighbours; in a layer of up to
    twenty nodes all have the same chance.
    """

    def __init__(
        self,
        peers: Peers,
        rpc: Rpc,
        known: Acquaintances,
        entropy: Callable[[int], bytes],
        wanted: Wanted,
        on_done: Callable[[NodeInfo | None], None],
    ) -> None:
        self._peers = peers
        self._rpc = rpc
        self._known = known
        self._entropy = entropy
        self._layer = wanted.layer
        self._exclude = wanted.exclude
        self._on_done = on_done
        self._tried: set[int] = set()
        self._choices: list[Contact] = []
        self._rounds = 0
        self._done = False

    def start(self) -> None:
        """Look around."""
        self._rounds += 1
        goal = Goal.nodes(number(self._entropy(ID_BYTES)), self._layer)
        Lookup(self._peers, self._rpc, goal, self._found).start()

    def stop(self) -> None:
        """Tell nobody."""
        self._done = True

    def _found(self, lookup: Lookup) -> None:
        fit = [contact for contact in lookup.answered() if contact.number not in self._tried]
        self._choices = [contact for contact in fit if self._known.owner(contact) not in self._exclude]
        self._try_next()

    def _try_next(self) -> None:
        if self._done:
            return
        if not self._choices:
            if self._rounds < ROUNDS:
                self.start()
            else:
                self._end(None)
            return
        place = int.from_bytes(self._entropy(8), "big") % len(self._choices)
        contact = self._choices.pop(place)
        self._tried.add(contact.number)
        self._rpc.ask(contact, "info", {}, self._judge, self._failed, layer=self._layer)

    def _failed(self, _contact: Contact) -> None:
        self._try_next()

    def _judge(self, contact: Contact, reply: Message) -> None:
        info = self._known.meet(contact, reply)
        if info is None or not info.addresses or info.fingerprint in self._exclude:
            self._try_next()
        else:
            self._end(info)

    def _end(self, info: NodeInfo | None) -> None:
        if not self._done:
            self._done = True
            self._on_done(info)
