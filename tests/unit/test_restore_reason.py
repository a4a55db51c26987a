"""Why a download ends: the reason of the packs that failed, and not that others were cancelled for it."""

from tests.unit.storage_kit import random_file
from tests.unit.test_storage_recovery import RecoveryCase


class ReasonTests(RecoveryCase):
    def test_many_packs_that_nobody_gives(self) -> None:
        """Where suppliers are silent the download of many packs ends with what lacks."""
        self.node.settings.set("services/backups/block-size", 65536)
        random_file(self.base / "file", 1_000_000)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(5)
        self.set_modes("fine", "mute", "mute", "mute")
        download = self.node.run(self.node.storage.download("file", str(self.base / "back"), "replace"))
        ends: list = []
        download.completion.addBoth(ends.append)
        self.node.pass_time(300)
        self.assertIn("only 1 of 2 pieces of a pack could be had", str(ends[0].value))
