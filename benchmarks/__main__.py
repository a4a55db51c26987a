"""``python -m benchmarks NAME [options]``: every figure that is claimed, measured again.

============  =====================================================================================================
abuse         attacks by amounts on a real daemon: memory, files, and what honest people see beside them
audit         what audits and scrubbing cost a TB a day, and how soon a loss is found
blocks        the block store of IPFS: added and read a second; a million blocks, listed and collected
catalog       100,000 files: listing a folder, starting with them
chaos         real processes that are killed, stopped, filled, wiped and rotten: is all there in the end, and how soon
commands      every simple command, and the start of a node
dht_bench     the hash table: put, get, CPU and memory, deaths
durability    heal, audit, reencode and restore one after the other, with the conditions of the machine
formats       files, directories and values of IPFS, without a node
hashing       MB/s of piece roots, chunk names and seals, beside what was there before them
friends       what 200 friends cost a node that does nothing
groups        a group of 50 members: nothing lost, order kept, CPU of a message and how late it is
heal          a member dies while the owner is away: seconds until a spare has made its pieces again
history       a million messages: storing them, a page, a search
idle          CPU and memory of a network that does nothing
ipfs          the RPC of IPFS through the Python client: MB/s, first bytes, seeks, small calls, memory, beside js-ipfs
ipfs_small    small calls of the RPC of IPFS: one client, several at once, and what the client itself can do
listing       rows of 100,000 files without a node: time and memory of each kind of list
messages      acknowledged private messages of 1 KB: latency and rate, beside a bare echo of AMP over TLS
reencode      another number of suppliers: seconds, and bytes moved beside the fewest there can be
rest          `process_health` requests a second
restore       20,000 small files: up and back, beside restic with a local repository
storage       upload, download, small files, second versions, frozen suppliers, with the peer beside it if wished
sync          folders in sync: seconds, bytes, CPU and memory for a peer and a keeper, beside Syncthing
============  =====================================================================================================
"""

import importlib
import os
import pkgutil
import sys

import benchmarks

PARTS = {"__main__", "abuse_attacks", "abuse_peer", "abuse_probe", "chaos_network", "sync_peers"}


def main() -> int:
    """Run one benchmark by name, or tell which there are; without a name: storage with its defaults."""
    names = sorted({module.name for module in pkgutil.iter_modules(benchmarks.__path__)} - PARTS)
    name, *rest = sys.argv[1:] or ["storage"]
    if name not in names:
        print(f"there is no benchmark {name!r}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # nodes are measured as they are installed: compiled once
    module = importlib.import_module(f"benchmarks.{name}")
    result: int = module.main(rest)
    return result


if __name__ == "__main__":
    sys.exit(main())
