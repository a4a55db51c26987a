"""Links by which people and scripts find the pieces of a customer.

Anybody may call himself anything, so what a name alone leads to is a convenience for who knows his customers: the first
who has shown it. The link that begins with the fingerprint is right whoever shows what.
"""

import os
from pathlib import Path

from bitdust.customers.contracts import Account
from bitdust.disk.disk import Disk
from bitdust.wire.names import is_global_id


class Links:
    """I keep ``<fingerprint>-alice@host`` and ``alice@host`` beside each customer's folder. I block: for a thread."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk = disk
        self._folder = folder

    def make(self, account: Account) -> None:
        """The folder of its pieces, and the link to it."""
        target = account.contract.customer.hex()
        self._disk.make_folder(self._folder / target)
        for link in self._of(account):
            if not os.path.lexists(link):
                link.symlink_to(target)

    def remove(self, account: Account) -> None:
        """Who is forgotten leaves none behind."""
        target = account.contract.customer.hex()
        for link in self._of(account):
            if link.is_symlink() and os.readlink(link) == target:
                self._disk.remove(link)

    def _of(self, account: Account) -> list[Path]:
        if not is_global_id(account.global_id):
            return []
        fingerprint = account.contract.customer.hex()[:16]
        return [self._folder / f"{fingerprint}-{account.global_id}", self._folder / account.global_id]
