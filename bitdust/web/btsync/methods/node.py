"""The node: its preferences, system, version and speed, and its end."""

import sys

from bitdust.web.btsync.arguments import Arguments
from bitdust.web.btsync.preferences import change, current
from bitdust.web.btsync.table import Answer, Method, Node
from bitdust.web.btsync.version import VERSION

SYSTEMS = {"darwin": "mac", "win32": "win32"}


async def get_prefs(node: Node, given: Arguments) -> Answer:
    """All preferences of the node."""
    return current(node.settings, node.folders.device_name())


async def set_prefs(node: Node, given: Arguments) -> Answer:
    """Change some of them."""
    change(node.settings, given)
    return current(node.settings, node.folders.device_name())


async def get_os(node: Node, given: Arguments) -> Answer:
    """Which system this is."""
    return {"os": SYSTEMS.get(sys.platform, "linux")}


async def get_version(node: Node, given: Arguments) -> Answer:
    """Which version of the API this is."""
    return {"version": VERSION}


async def get_speed(node: Node, given: Arguments) -> Answer:
    """Bytes a second that come and go."""
    download, upload = node.folders.speed()
    return {"download": download, "upload": upload}


async def shutdown(node: Node, given: Arguments) -> Answer:
    """End the process; the answer is sent before."""
    node.stop()
    return {"error": 0}


ROWS = (
    Method("get_prefs", get_prefs),
    Method("set_prefs", set_prefs, changes=True),
    Method("get_os", get_os),
    Method("get_version", get_version),
    Method("get_speed", get_speed),
    Method("shutdown", shutdown, changes=True),
)
