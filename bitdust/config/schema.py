"""Every setting there is: the one table that the program, the API and the command line read."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from attrs import evolve

from bitdust.config.folder_schema import OPTIONS as FOLDER_OPTIONS
from bitdust.config.ipfs_schema import OPTIONS as IPFS_OPTIONS
from bitdust.config.rows import GB, KB, MB
from bitdust.config.rows import flag as _bool
from bitdust.config.rows import number as _number
from bitdust.config.rows import port as _port
from bitdust.config.rows import size as _size
from bitdust.config.rows import text as _text
from bitdust.config.types import Option
from bitdust.wire.networks import HOUSEHOLD

_SERVICES = {
    "network": "knows whether this machine is on a network",
    "tcp-connections": "opens the TCP port that peers connect to",
    "udp-datagrams": "opens the UDP port",
    "gateway": "turns packets into events and events into packets",
    "tcp-transport": "carries sessions with peers over TCP and TLS",
    "entangled-dht": "is a node of the distributed hash table",
    "identity-propagate": "keeps my identity known to ID servers and to the DHT",
    "identity-server": "keeps identity documents for others",
    "p2p-hookups": "answers pings and requests for services",
    "key-exchange": "takes keys that people give me",
    "nickname": "keeps my nickname in the DHT",
    "friends": "keeps in touch with my friends",
    "message-history": "stores messages, and finds them again",
    "private-groups": "opens groups, and reads and writes in them",
    "joint-postman": "reports to members of groups what others wrote",
    "private-messages": "sends messages to people, and takes theirs",
    "broadcasting": "says messages to everybody, and hears those of others",
    "nodes-lookup": "finds nodes that offer a service",
    "keys-registry": "keeps my keys",
    "data-disintegration": "cuts data into pieces and puts them together",
    "supplier": "keeps pieces for customers",
    "customer": "keeps contact with my suppliers",
    "customer-family": "remembers who the suppliers of my customers are",
    "customer-patrol": "watches quotas and contracts of my customers",
    "employer": "hires suppliers",
    "data-motion": "moves pieces to and from suppliers",
    "list-files": "asks suppliers what they hold",
    "backup-db": "keeps the catalog the same everywhere",
    "backups": "uploads files",
    "restores": "downloads files",
    "keys-storage": "keeps my key ring at my suppliers",
    "my-data": "reports that my storage is ready",
    "web-socket-communicator": "lets apps on phones and in browsers in",
    "web-socket-router": "carries what apps and their nodes say to each other",
    "shared-data": "lets people into shares of mine, and opens those of others",
    "block-store": "stores blocks of IPFS",
    "ipfs": "answers clients of IPFS on this machine, exchanges blocks with other nodes, and keeps its names found",
    "ipfs-backup": "keeps what is pinned at my suppliers",
    "folder-sync": "keeps folders the same on several machines",
    "btsync": "answers clients of BitTorrent Sync on this machine",
}
_OFF = (
    "identity-server", "block-store", "ipfs", "ipfs-backup", "web-socket-router", "broadcasting", "folder-sync",
    "btsync",
)  # fmt: skip
"""Services that run where a person wants them."""


def _enabled() -> Iterable[Option]:
    for name, duty in _SERVICES.items():
        label = name.replace("-", " ") + " enabled"
        yield _bool(f"services/{name}/enabled", name not in _OFF, label, f"Run the service that {duty}.")


_OPTIONS = (
    _bool("interface/api/auth-secret-enabled", True, "ask for the secret", "Refuse API calls without the secret."),
    _bool("interface/api/rest-http-enabled", True, "REST", "Answer HTTP requests on loopback."),
    _port("interface/api/rest-http-port", 8180, "TCP port of the REST API"),
    _bool("interface/api/web-socket-enabled", True, "WebSocket", "Answer WebSocket calls on loopback."),
    _port("interface/api/web-socket-port", 8280, "TCP port of the WebSocket API"),
    _bool("interface/api/metrics-enabled", False, "open metrics", "Answer GET /metrics without the secret."),
    _text("interface/api/allowed-hosts", "allowed hosts", "Host names besides loopback that requests may name."),
    _text("interface/api/allowed-origins", "allowed origins", "Web origins whose pages may call the API."),
    _number("logs/debug-level", 0, "debug level", "How much is logged: 0 little, 10 everything.", 0, 100),
    _text("logs/debug-rooms", "debugged rooms", "Rooms of which everything is logged, such as dht,transport."),
    _bool("logs/api-enabled", False, "log API calls", "Log names and outcomes of API calls in logs/api.log."),
    _bool("logs/automat-transitions-enabled", False, "log transitions", "Log every move in logs/automats.log."),
    _bool("logs/automat-events-enabled", False, "log automat events", "Log every event in logs/automats.log."),
    _bool("logs/packet-enabled", False, "log packets", "Log every packet in and out in logs/packet.log."),
    _size("logs/file-size", 10 * MB, "size of a log file", "A log that is full is put aside.", 64 * KB, GB),
    _number("logs/files", 5, "files of a log", "So many files of each log are kept, the newest.", 1, 100),
    Option("paths/blocks", "dir", "", "blocks", "Folder for blocks of IPFS; empty: in the home."),
    Option("paths/backups", "dir", "", "spool", "Folder for pieces that wait for suppliers; empty: in the home."),
    Option("paths/customers", "dir", "", "customers", "Folder for my customers' pieces; empty: in the home."),
    _number(
        "paths/disk-reserve-percent",
        5,
        "disk reserve",
        "Share of each disk that pieces and downloads leave free.",
        0,
        99,
        "percent",
    ),
    Option("paths/restore", "dir", "", "restore", "Folder for downloads without a target; empty: your home folder."),
    _text("personal/nickname", "nickname", "People find you by it; empty: the name of your identity."),
    Option(
        "personal/passphrase-file",
        "str",
        "",
        "passphrase file",
        "Opens locked keys at start: a file with the passphrase, readable only by you.",
    ),
    Option(
        "personal/private-key-size",
        "int",
        2048,
        "size of new keys",
        "Bits of new RSA keys; under 2048 none is made.",
        choices=(1024, 2048, 3072, 4096),
        unit="bits",
    ),
    _size(
        "services/backups/block-size",
        4 * MB,
        "size of a pack",
        "Data is sealed in packs of this size, each of one chunk of 32 to 256 KB at least.",
        10 * KB,
        16 * MB,
    ),
    _size("services/backups/max-block-size", 16 * MB, "largest pack", "No pack is larger than this.", 64 * KB, 32 * MB),
    _number(
        "services/backups/max-copies", 2, "newest versions to keep", "So many of an item stay; 0 keeps all.", 0, 1000
    ),
    _number("services/backups/daily-copies", 7, "daily versions to keep", "The newest of so many days.", 0, 3660),
    _number("services/backups/weekly-copies", 8, "weekly versions to keep", "The newest of so many weeks.", 0, 520),
    _number("services/backups/monthly-copies", 12, "monthly versions to keep", "The newest of so many months.", 0, 600),
    _number(
        "services/backups/undo-days",
        30,
        "days to undo",
        "What was current so lately is never thinned.",
        0,
        3660,
        "days",
    ),
    _bool("services/backups/attributes-enabled", True, "store attributes", "Extended attributes and ACLs are stored."),
    _bool("services/backups/owners-enabled", True, "store owners", "Owners are stored where they are not this user."),
    _bool("services/restores/attributes-enabled", True, "restore attributes", "Extended attributes and ACLs are set."),
    _bool("services/restores/owners-enabled", True, "restore owners", "Owners are set where that is permitted."),
    _bool(
        "services/restores/special-bits-enabled",
        False,
        "restore special bits",
        "Set-user-id, set-group-id and sticky bits are set.",
    ),
    _bool("services/backups/keep-local-copies-enabled", False, "keep local pieces", "Keep pieces here after delivery."),
    _bool("services/backups/wait-suppliers-enabled", True, "wait for suppliers", "An upload ends when it is safe."),
    _number(
        "services/backups/wait-suppliers-seconds",
        60,
        "patience with suppliers",
        "Who waits for an upload is answered when no supplier has taken anything for so long; 0: never.",
        0,
        86_400,
        "seconds",
    ),
    _number(
        "services/customer/audit-hours",
        72,
        "audit period",
        "Pieces count as reliable while their supplier has proved some within so many hours; 0: no audits.",
        0,
        8760,
        "hours",
    ),
    _number("services/customer/audit-pieces", 32, "pieces of an audit", "A supplier proves so many a round.", 1, 1000),
    _size("services/customer/needed-space", 4 * GB, "space I need", "Room for my own data at my suppliers.", 32 * MB),
    _number("services/customer/suppliers-number", 4, "suppliers", "Any half of them gives everything back.", 2, 64),
    _size(
        "services/customer-patrol/scrub-rate",
        512 * KB,
        "scrubbing",
        "Bytes a second of customers' pieces, and of folders kept for others, that are read again to find damage; at"
        " 512 KB 1 TB takes 25 days.",
        4 * KB,
    ),
    _number("services/customer-patrol/customer-idle-days", 0, "idle days", "0: the contract decides.", 0, 3660, "days"),
    _number("services/data-motion/moving-limit", 0, "limit of moves", "0: none.", 0, 10**12, "bytes a second"),
    _size(
        "services/customer-family/healing-rate",
        8 * MB,
        "bytes a second for spares",
        "So much is given to those who make lost pieces of customers again.",
        64 * KB,
    ),
    _number("services/data-motion/supplier-sending-queue-size", 32, "sendings at once", "Per supplier.", 2, 64),
    _port("services/entangled-dht/udp-port", 14441, "UDP port of this node"),
    _text("services/entangled-dht/known-nodes", "first nodes", "host:port,host:port of nodes to ask first."),
    _text("services/entangled-dht/attached-layers", "layers", "Layers of the DHT to join besides those of services."),
    _bool(
        "services/employer/replace-critically-offline-enabled", True, "replace the lost", "Replace suppliers that left."
    ),
    _number("services/employer/replace-after-days", 7, "replace the absent after", "Days without it.", 1, 365, "days"),
    _number(
        "services/employer/replace-after-failed-audits",
        3,
        "replace liars after",
        "Audits that a supplier fails in a row before somebody else gets its place; 0: it keeps it.",
        0,
        100,
    ),
    _bool("services/employer/spread-enabled", True, "spread suppliers", "Never too many suppliers in one network."),
    _bool("services/employer/spread-private-enabled", False, "spread in private", "Count private addresses as well."),
    _text("services/employer/candidates", "candidates", "Identity URLs of nodes to hire before others."),
    _bool("services/employer/confirm-spares-enabled", True, "confirm spares", "Keep who stood in for a lost supplier."),
    _number("services/employer/healing-after-days", 7, "heal after", "Days without you and it.", 0, 365, "days"),
    _number("services/employer/healing-spares", 0, "spares", "Who may stand in; 0: as many as may be lost.", 0, 16),
    _number("services/gateway/p2p-timeout", 15, "patience with peers", "Seconds without progress.", 1, 600, "seconds"),
    Option(
        "services/identity-server/host", "str", "", "host of the ID server", "The name or address others use for it."
    ),
    _port("services/identity-server/web-port", 8084, "TCP port of the ID server"),
    _text("services/identity-propagate/known-servers", "ID servers", "host:port,host:port of ID servers."),
    _text("services/identity-propagate/preferred-servers", "preferred ID servers", "ID servers to use before others."),
    _number("services/identity-propagate/min-servers", 1, "fewest ID servers", "An identity lives on so many.", 1, 6),
    _number("services/identity-propagate/max-servers", 5, "most ID servers", "An identity lives on so many.", 1, 6),
    _bool(
        "services/identity-propagate/automatic-rotate-enabled",
        True,
        "move to other ID servers",
        "Leave a first ID server that has not answered for a day.",
    ),
    _number(
        "services/identity-propagate/health-check-interval-seconds",
        300,
        "check of ID servers",
        "Seconds between checks of my sources.",
        5,
        86400,
        "seconds",
    ),
    _bool(
        "services/message-history/archive-enabled",
        True,
        "history in my storage",
        "Keep messages at my suppliers as well.",
    ),
    _number(
        "services/message-history/keep-days",
        0,
        "days of messages",
        "Older ones are removed; 0: none.",
        0,
        36500,
        "days",
    ),
    _number(
        "services/message-history/keep-messages",
        0,
        "messages of a conversation",
        "So many of each are kept, the newest; 0: all of them.",
        0,
        10**9,
    ),
    Option(
        "services/network/household",
        "networks",
        HOUSEHOLD,
        "networks of mine",
        "Strangers of any other network share what one network may take. Separated by blanks. If you set it, peers of "
        "these networks are connected to even where this node has no address in them.",
    ),
    Option(
        "services/network/refused",
        "networks",
        "",
        "refused networks",
        "No peer of these networks is connected to, or let in. Separated by blanks.",
    ),
    Option("services/network/interface", "str", "", "address", "The address to listen on and to announce; empty: all."),
    _bool("services/broadcasting/routing-enabled", False, "pass on", "Pass messages to everybody on to others."),
    _number("services/broadcasting/max-broadcast-connections", 3, "passed on to", "Peers to whom each goes on.", 1, 64),
    _bool("services/network/proxy/enabled", False, "HTTP proxy", "Reach ID servers by way of an HTTP proxy."),
    Option("services/network/proxy/host", "str", "", "host of the proxy", "Its name or address."),
    Option("services/network/proxy/port", "port", 0, "TCP port of the proxy", "0: none is set.", 0, 65535),
    _bool("services/network/proxy/ssl", False, "TLS to the proxy", "Speak TLS with the proxy itself."),
    Option("services/network/proxy/username", "str", "", "user at the proxy", "Empty: the proxy asks for none."),
    Option("services/network/proxy/password", "password", "", "password at the proxy", "Is never shown."),
    _number("services/network/receive-limit", 0, "download limit", "0: none.", 0, 10**12, "bytes a second"),
    _number("services/network/send-limit", 0, "upload limit", "0: none.", 0, 10**12, "bytes a second"),
    _number(
        "services/supplier/deletion-delay",
        48,
        "delay of mass deletions",
        "So long a customer can undo what one of its devices has ordered; 0: at once.",
        0,
        720,
        "hours",
    ),
    _size(
        "services/private-messages/mailbox-space",
        256 * MB,
        "space for mailboxes",
        "Room for sealed messages to friends and customers who are away; 0 keeps none.",
        0,
        64 * GB,
    ),
    _size(
        "services/supplier/donated-space", 8 * GB, "space I give", "Room for customers' pieces on this disk.", 64 * MB
    ),
    _number(
        "services/supplier/promise-days",
        7,
        "days of a promise",
        "Room that a customer has not filled for so long is given to others.",
        1,
        3660,
        "days",
    ),
    _port("services/tcp-connections/tcp-port", 7771, "TCP port for peers"),
    _bool("services/tcp-transport/receiving-enabled", True, "accept sessions", "Let peers connect over TCP."),
    _bool("services/tcp-transport/sending-enabled", True, "open sessions", "Connect to peers over TCP."),
    _bool(
        "services/friends/all-devices-enabled",
        True,
        "friends on all devices",
        "Keep the list of friends, and your nickname, in the storage, sealed, for your other devices and a recovery.",
    ),
    _bool(
        "services/web-socket-communicator/local-files-enabled",
        False,
        "devices read and write files",
        "Let devices upload files of this machine and download to it, with all the rights that the node has.",
    ),
    _text(
        "services/web-socket-communicator/preferred-routers",
        "preferred routers",
        "IDURLs of nodes that carry your devices, comma separated; empty: any.",
    ),
    _text(
        "services/web-socket-router/host",
        "host of the router",
        "Where apps reach this router: a host name, or ws:// or wss:// with host and port; empty: where peers do.",
    ),
    _port("services/web-socket-router/port", 8282, "TCP port of the router for apps"),
    _port("services/udp-datagrams/udp-port", 8882, "UDP port, where that of the DHT is left alone"),
    *FOLDER_OPTIONS,
    *IPFS_OPTIONS,
)

_UNREAD = "Accepted so that scripts of older nodes run; nothing in this version reads it."
_OF_OLDER_NODES = (
    _bool("services/bismuth-blockchain/enabled", False, "blockchain", _UNREAD),
    Option("services/identity-server/tcp-port", "port", 6661, "old TCP port of the ID server", _UNREAD, 0, 65535),
    _bool("services/ip-port-responder/enabled", False, "answers about addresses", _UNREAD),
    _number("services/private-groups/message-ack-timeout", 30, "message timeout", _UNREAD, 1, 3600, "seconds"),
    _number("services/private-groups/broker-connect-timeout", 120, "broker timeout", _UNREAD, 1, 3600, "seconds"),
    _text("services/private-groups/preferred-brokers", "preferred brokers", _UNREAD),
    _bool("services/proxy-server/enabled", False, "relay for others", _UNREAD),
    _bool("services/proxy-transport/enabled", True, "relay transport", _UNREAD),
    _text("services/proxy-transport/preferred-routers", "preferred relays", _UNREAD),
)


def default_schema() -> Mapping[str, Option]:
    """All options by key, in the order of their keys."""
    unread = (evolve(option, unread=True) for option in _OF_OLDER_NODES)
    options = sorted((*_OPTIONS, *_enabled(), *unread), key=lambda option: option.key)
    return MappingProxyType({option.key: option for option in options})
