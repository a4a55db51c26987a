"""The rows of the API, by their theme."""

from bitdust.web.btsync.methods import extensions, files, folders, node, secrets
from bitdust.web.btsync.table import Methods

THE_SEVENTEEN = (
    "get_folders", "add_folder", "remove_folder", "get_files", "set_file_prefs", "get_folder_peers", "get_secrets",
    "get_folder_prefs", "set_folder_prefs", "get_folder_hosts", "set_folder_hosts", "get_prefs", "set_prefs", "get_os",
    "get_version", "get_speed", "shutdown",
)  # fmt: skip
"""What the vendor's page names, in its order."""


def all_methods() -> Methods:
    """Every method there is."""
    methods = Methods()
    for theme in (folders, files, secrets, node, extensions):
        methods.add(theme.ROWS)
    return methods
