"""Links by which people find the pieces of a customer: by what it calls itself, behind the fingerprint.

Anybody may call himself anything, so a name alone leads to nobody.
"""

import os
from pathlib import Path

from bitdust.customers.contracts import Account
from bitdust.disk.disk import Disk
from bitdust.wire.names import is_global_id


class Links:
    """I keep ``<fingerprint>-alice@host`` beside the folder of each customer. I block: for a thread."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk = disk
        self._folder = folder

    def make(self, account: Account) -> None:
        """The folder of its pieces, and the link to it."""
        target = account.contract.customer.hex()
        self._disk.make_folder(self._folder / target)
        link = self._of(account)
        if is_global_id(account.global_id) and not os.path.lexists(link):
            link.symlink_to(target)

    def remove(self, account: Account) -> None:
        """Who is forgotten leaves none behind."""
        if is_global_id(account.global_id) and os.path.lexists(self._of(account)):
            self._disk.remove(self._of(account))

    def _of(self, account: Account) -> Path:
        return self._folder / f"{account.contract.customer.hex()[:16]}-{account.global_id}"
