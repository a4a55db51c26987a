"""Examples about this node among others: keys and names, peers, the DHT, messages by topic, settings and logs."""

import base64
from typing import Any

from ipfshttpclient.exceptions import ErrorResponse

from tests.ipfs_seed.examples import LAMB_CID, Client, Example, Given
from tests.ipfs_seed.shapes import NOTHING, Alone, Exactly, Fails, Like, Where, WithIdentity

KEY = "QmQLaT5ZrCfSkXTH6rUKtVidcxj8jrW3X2h75Lug1AV7g8"
STRINGS = Like({"Strings": [""]})
FILTER = "/ip4/192.168.0.0/ipcidr/16"
EVENT = {"ID": "", "Extra": "", "Type": 6}
PEER = "12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"
ADDRESS = f"/ip4/127.0.0.1/tcp/9/p2p/{PEER}"


def fresh_key(client: Client, name: str) -> Any:
    """A key of this name, made now."""
    forget_keys(client)
    return client.key.gen(name, "ed25519")


def forget_keys(client: Client) -> None:
    """Those of a run before."""
    for row in client.key.list()["Keys"]:
        if row["Name"] != "self":
            client.key.rm(row["Name"])


def renamed(client: Client, given: Given) -> Any:
    fresh_key(client, "bla")
    return client.key.rename("bla", "personal")


def removed(client: Client, given: Given) -> Any:
    fresh_key(client, "bla")
    return client.key.rm("bla")


def published(client: Client, given: Given) -> Any:
    """The name of this node, for something that it has."""
    return client.name.publish(f"/ipfs/{given.page}", allow_offline=True)


def resolved(client: Client, given: Given) -> Any:
    """What that name leads to."""
    published(client, given)
    return client.name.resolve() == {"Path": f"/ipfs/{given.page}"}


def subscribed(client: Client, given: Given) -> Any:
    """The first message of a topic, which is one's own."""
    with client.pubsub.subscribe("testing") as messages:
        client.pubsub.publish("testing", "hello")
        for message in messages:
            base64.b64decode(message["from"], validate=True)
            return message
    raise AssertionError("no message came")


def topics(client: Client, given: Given) -> Any:
    """While one topic is listened to."""
    with client.pubsub.subscribe("hello"):
        return client.pubsub.ls()


def first_line(client: Client, given: Given) -> Any:
    """Of the log."""
    with client.unstable.log.tail() as lines:
        return next(iter(lines))


def bootstrap_back(client: Client) -> list[Any]:
    """The list, from which one is taken and to which it is added again."""
    before = client.bootstrap.list()["Peers"]
    peer = before[0] if before else ADDRESS
    return [peer, bool(before)]


def added(client: Client, given: Given) -> Any:
    peer, was_there = bootstrap_back(client)
    answer = client.bootstrap.add(peer)
    if not was_there:
        client.bootstrap.rm(peer)
    return answer


def taken(client: Client, given: Given) -> Any:
    peer, was_there = bootstrap_back(client)
    client.bootstrap.add(peer)
    answer = client.bootstrap.rm(peer)
    if was_there:
        client.bootstrap.add(peer)
    return answer


def settings(client: Client, given: Given) -> Any:
    config = client.config.get()
    return {"Addresses": config["Addresses"], "Discovery": config["Discovery"]}


def value_of(client: Client, given: Given) -> bool:
    """Whether the client fails as it does with every daemon, or is told that there is nothing."""
    try:
        client.dht.get(f"/ipns/{PEER}")
    except (AssertionError, ErrorResponse):
        return True
    return False


FOUND = {"ID": "", "Type": 2, "Responses": [{"ID": "", "Addrs": [""]}], "Extra": ""}
CONFIG = {
    "Addresses": {"API": "", "Gateway": "", "Swarm": [""]},
    "Discovery": {"MDNS": {"Enabled": True, "Interval": 10}},
}
ROWS = (
    Example(
        "key.gen",
        "key/gen",
        lambda client, given: fresh_key(client, "example_key_name"),
        Like({"Name": "example_key_name", "Id": KEY}),
    ),
    Example(
        "key.list", "key/list", lambda client, given: client.key.list(), Like({"Keys": [{"Name": "self", "Id": KEY}]})
    ),
    Example(
        "key.rename", "key/rename", renamed, Like({"Was": "bla", "Now": "personal", "Id": KEY, "Overwrite": False})
    ),
    Example("key.rm", "key/rm", removed, Like({"Keys": [{"Name": "bla", "Id": KEY}]})),
    Example("name.publish", "name/publish", published, Like({"Value": "/ipfs/Qm", "Name": KEY})),
    Example("name.resolve", "name/resolve", resolved, Exactly(True)),
    Example(
        "id",
        "id",
        lambda client, given: client.id(),
        Like({"ID": KEY, "PublicKey": "", "AgentVersion": "", "ProtocolVersion": "", "Addresses": [""]}),
    ),
    Example("config.get", "config/show", settings, Like(CONFIG)),
    Example(
        "config.set",
        "config",
        lambda client, given: client.config.set("Addresses.Gateway"),
        Like({"Key": "Addresses.Gateway", "Value": ""}),
    ),
    Example(
        "config.replace",
        "config/replace",
        lambda client, given: client.config.replace({"Addresses": {}}),
        Fails("is required"),
        outdated="the client sends names of settings without values: a daemon that took it would lose them",
    ),
    Example("bootstrap.list", "bootstrap", lambda client, given: client.bootstrap.list(), Like({"Peers": [""]})),
    Example("bootstrap.add", "bootstrap/add", added, Like({"Peers": [""]})),
    Example("bootstrap.rm", "bootstrap/rm", taken, Like({"Peers": [""]})),
    Example(
        "bitswap.stat",
        "bitswap/stat",
        lambda client, given: client.bitswap.stat(),
        Like(
            {
                "BlocksReceived": 96,
                "DupBlksReceived": 73,
                "DupDataReceived": 2560601,
                "ProvideBufLen": 0,
                "Peers": [""],
                "Wantlist": [{"/": ""}],
            }
        ),
        outdated="since 0.4.11 wanted CIDs are links; ProviderBufLen was always ProvideBufLen",
    ),
    Example(
        "bitswap.wantlist",
        "bitswap/wantlist",
        lambda client, given: client.bitswap.wantlist(),
        Like({"Keys": [{"/": LAMB_CID}]}),
        outdated="since 0.4.11 CIDs are links there",
    ),
    Example("swarm.addrs", "swarm/addrs", lambda client, given: client.swarm.addrs(), Like({"Addrs": {"Qm": [""]}})),
    Example(
        "swarm.peers",
        "swarm/peers",
        lambda client, given: client.swarm.peers(),
        Like({"Peers": [{"Addr": "", "Peer": ""}]}),
        outdated="since 0.4.5 peers are rows with names",
    ),
    Example(
        "swarm.filters.add",
        "swarm/filters/add",
        lambda client, given: client.swarm.filters.add(FILTER),
        Exactly({"Strings": [FILTER]}),
    ),
    Example(
        "swarm.filters.rm",
        "swarm/filters/rm",
        lambda client, given: client.swarm.filters.rm(FILTER),
        Exactly({"Strings": [FILTER]}),
    ),
    Example("unstable.log.ls", "log/ls", lambda client, given: client.unstable.log.ls(), STRINGS),
    Example(
        "unstable.log.level",
        "log/level",
        lambda client, given: client.unstable.log.level(client.unstable.log.ls()["Strings"][0], "info"),
        Like({"Message": "Changed log level of 'path' to 'info'\n"}),
    ),
    Example(
        "unstable.log.tail", "log/tail", first_line, Where("names with values", lambda value: isinstance(value, dict))
    ),
    Example("pubsub.ls", "pubsub/ls", topics, Exactly({"Strings": ["hello"]})),
    Example("pubsub.peers", "pubsub/peers", lambda client, given: client.pubsub.peers(topic="hello"), STRINGS),
    Example(
        "pubsub.publish",
        "pubsub/pub",
        lambda client, given: list(client.pubsub.publish("hello", "message") or ()),
        WithIdentity([]),
    ),
    Example(
        "pubsub.subscribe",
        "pubsub/sub",
        subscribed,
        WithIdentity({"from": "", "data": "aGVsbG8=", "topicIDs": ["testing"]}),
    ),
    Example(
        "swarm.connect", "swarm/connect", lambda client, given: client.swarm.connect(ADDRESS), Alone({"Strings": [""]})
    ),
    Example(
        "swarm.disconnect",
        "swarm/disconnect",
        lambda client, given: client.swarm.disconnect(ADDRESS),
        Alone({"Strings": [""]}),
    ),
    Example("ping", "ping", lambda client, given: client.ping(PEER), Alone([{"Success": True, "Time": 0, "Text": ""}])),
    Example(
        "dht.findpeer",
        "dht/findpeer",
        lambda client, given: client.dht.findpeer(PEER),
        Alone(FOUND),
        outdated="the client takes one answer, and gives it without a list",
    ),
    Example("dht.findprovs", "dht/findprovs", lambda client, given: client.dht.findprovs(LAMB_CID), Alone([EVENT])),
    Example("dht.query", "dht/query", lambda client, given: client.dht.query(PEER), Alone([EVENT])),
    Example("dht.put", "dht/put", lambda client, given: client.dht.put(PEER, "test123"), Alone([EVENT])),
    Example(
        "dht.get",
        "dht/get",
        value_of,
        Exactly(True),
        outdated="the client fails with every answer to this call, as it expects a text there",
    ),
    Example("dns", "dns", lambda client, given: client.dns("ipfs.invalid"), Alone({"Path": "/ipfs/Qm"})),
    Example(
        "resolve",
        "name/resolve",
        lambda client, given: client.resolve("/ipns/ipfs.invalid"),
        Alone({"Path": "/ipfs/Qm"}),
    ),
    Example("stop", "shutdown", lambda client, given: client.stop(), NOTHING),
)
"""The last one ends the daemon, or what of it answers."""
