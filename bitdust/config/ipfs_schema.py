"""Settings of IPFS: its clients, other nodes, blocks, and the backup of pins."""

from bitdust.config.rows import GB, MB, flag, number, port, size, text
from bitdust.config.types import Option

OPTIONS = (
    port("services/ipfs/api-port", 5001, "TCP port of the RPC API of IPFS"),
    text("services/ipfs/api-address", "address for others", "IP address where others reach the RPC of IPFS."),
    flag("services/ipfs/gateway-enabled", False, "gateway of IPFS", "Show content to browsers of this machine."),
    port("services/ipfs/gateway-port", 8080, "HTTP port of the gateway of IPFS"),
    flag("services/ipfs/gateway-fetch", False, "gateway fetches", "The gateway asks other nodes for what is missing."),
    text("services/ipfs/allowed-hosts", "allowed hosts", "Host names besides loopback that IPFS clients may name."),
    number(
        "services/ipfs/republish-hours",
        4,
        "renewal of IPNS names",
        "So often names of IPNS are brought into the DHT again.",
        1,
        168,
        "hours",
    ),
    number(
        "services/ipfs/record-hours",
        24,
        "life of IPNS names",
        "So long a name of IPNS is found after it was published or renewed last, where who publishes it says nothing.",
        1,
        720,
        "hours",
    ),
    text(
        "services/ipfs/dns-resolver",
        "resolver of DNSLink",
        "Name server that is asked for names of IPNS that are host names, as 192.0.2.1 or 192.0.2.1:53, or the word "
        "system; empty: none is asked.",
    ),
    text("services/ipfs/allowed-origins", "allowed origins", "Web origins whose pages may speak the RPC of IPFS."),
    Option(
        "services/ipfs/provide",
        "text",
        "none",
        "say what is here",
        "Of which blocks the DHT says that this node has them: none, roots (of recursive pins and of files), or pinned "
        "(every block that stays).",
        choices=("none", "roots", "pinned"),
    ),
    Option(
        "services/ipfs/share-with",
        "text",
        "friends",
        "share blocks with",
        "Whom this node gives blocks of IPFS: nobody, friends (with one's own devices), or everybody who knows a CID.",
        choices=("nobody", "friends", "everybody"),
    ),
    size(
        "services/block-store/storage-max",
        10 * GB,
        "space for blocks",
        "Room for blocks of IPFS on this disk; what would be more is refused.",
        MB,
    ),
    size(
        "services/ipfs-backup/segment-size",
        32 * MB,
        "size of a segment",
        "Blocks of IPFS are kept at suppliers in files of this size.",
        MB,
        64 * MB,
    ),
    number(
        "services/ipfs-backup/keep-local-percent",
        90,
        "local copies of blocks",
        "Where blocks take more than this share of their space, copies of those that suppliers have go; 100: never.",
        10,
        100,
        "percent",
    ),
)
