"""Settings of synchronised folders: the preferences of BitTorrent Sync, and the port where its clients are answered."""

from bitdust.config.rows import flag, number, port, text
from bitdust.config.types import Option

_KEPT = "Kept for clients; sessions here are as they are in any case."
_MB = 1_000_000

OPTIONS = (
    text(
        "services/folder-sync/device-name",
        "device name",
        "What peers of folders see; empty: your name, or the machine's.",
    ),
    number("services/folder-sync/download-limit", 0, "folders' download limit", "0: none.", 0, _MB, "KB a second"),
    number("services/folder-sync/upload-limit", 0, "folders' upload limit", "0: none.", 0, _MB, "KB a second"),
    number(
        "services/folder-sync/rescan-seconds",
        600,
        "time between rescans",
        "Folders are read again so often, whatever the system has reported; 0: never.",
        0,
        86_400 * 7,
        "seconds",
    ),
    number("services/folder-sync/trash-days", 30, "days in the archive", "0: for ever.", 0, 36_500, "days"),
    number(
        "services/folder-sync/deletion-days",
        365,
        "days until deletions are forgotten",
        "A machine that was away for longer, and has a file that was deleted, keeps it for itself; 0: never.",
        0,
        36_500,
        "days",
    ),
    number(
        "services/folder-sync/versioned-file-max",
        1000,
        "largest file in the archive",
        "Versions of files up to this size are kept when others replace or delete them.",
        0,
        _MB,
        "MB",
    ),
    number("services/folder-sync/patched-file-max", 1000, "largest patched file", _KEPT, 0, _MB, "MB"),
    number("services/folder-sync/max-time-diff", 600, "largest difference of clocks", _KEPT, 0, _MB, "seconds"),
    number("services/folder-sync/receive-buffer", 5, "receive buffer", _KEPT, 1, 100, "MB"),
    number("services/folder-sync/send-buffer", 5, "send buffer", _KEPT, 1, 100, "MB"),
    number("services/folder-sync/language", 28261, "language", _KEPT, -1, 0xFFFF),
    flag("services/folder-sync/lan-encryption-enabled", True, "encrypt in private networks", _KEPT),
    flag("services/folder-sync/lan-tcp-enabled", False, "TCP in private networks", _KEPT),
    flag(
        "services/folder-sync/limit-local-peers-enabled",
        False,
        "limit in private networks",
        "Limits of folders hold back peers in private networks too.",
    ),
    flag("services/folder-sync/low-priority-enabled", True, "low priority of the disk", _KEPT),
    flag("services/folder-sync/upnp-enabled", False, "UPnP", _KEPT),
    port("services/btsync/api-port", 8888, "TCP port of the API of BitTorrent Sync"),
    Option(
        "services/btsync/address",
        "str",
        "127.0.0.1",
        "address of the API of BitTorrent Sync",
        "Beyond this machine it answers only with a password.",
    ),
    Option("services/btsync/login", "str", "", "user of the API", "Empty: nobody is asked."),
    Option("services/btsync/password", "password", "", "password of the API", "Is never shown."),
    Option("services/btsync/password-hash", "password", "", "hash of the password", "As crypt(3) makes it."),
    Option(
        "services/btsync/add-folder-reply",
        "str",
        "both",
        "answer of add_folder",
        "both: as documented and as recorded; wire: exactly as recorded.",
        choices=("both", "wire"),
    ),
    flag("services/btsync/refuse-all", False, "refuse all calls", "As without a key of the vendor's API."),
    text("services/btsync/allowed-hosts", "allowed hosts", "Names besides loopback that clients may use."),
    text("services/btsync/allowed-origins", "allowed origins", "Web origins whose pages may call that API."),
    text(
        "services/btsync/permitted-folders",
        "permitted folders",
        "Folders, one a line, below which clients may add some; empty: anywhere.",
    ),
)
