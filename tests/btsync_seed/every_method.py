"""Every method of the client of Python; prints what came as JSON: ``every_method.py PORT DIRECTORY HOST``."""

import json
import sys
from typing import Any

import pybtsync  # type: ignore[import-not-found]


def main(port: str, directory: str, host: str) -> dict[str, Any]:
    client = pybtsync.BTSync("127.0.0.1", port, "api", "secret")
    found = {
        name: getattr(client, name)() for name in ("get_secrets", "get_os", "get_version", "get_speed", "get_prefs")
    }
    secret = found["get_secrets"]["read_write"]
    found["add_folder"] = client.add_folder(directory, secret, 1)
    found["get_folders"] = client.get_folders(secret)
    for name in ("get_files", "get_folder_peers", "get_folder_prefs", "get_folder_hosts"):
        found[name] = getattr(client, name)(secret)
    found["set_file_prefs"] = client.set_file_prefs(secret, "nothing", 1)
    found["set_folder_hosts"] = client.set_folder_hosts(secret, [host])
    for name, call in (("set_folder_prefs", lambda: client.set_folder_prefs(secret, use_dht=1)),
                       ("set_prefs", lambda: client.set_prefs(lang=-1)),
                       ("refused", lambda: client.add_folder(""))):  # fmt: skip
        found[name] = failure_of(call)
    found["remove_folder"] = client.remove_folder(secret)
    found["shutdown"] = client.shutdown()
    return found


def failure_of(call: Any) -> str:
    """The kind and text of what it raises; empty where it does not."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever the client raises
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
