"""One identity that is recovered again and again: nothing depends on a device that has no place in it any more."""

import shutil

from tests.grid.test_main_job import GridCase

LIVES = 12


class ManyLivesTests(GridCase):
    def test_twelve_recoveries_in_a_row(self) -> None:
        """From one key file, each after the home before was lost; every file of every life is there each time."""
        self.add_suppliers(4)
        node = self.add_customer()
        key_file = self.key_file(node)
        stored: dict[str, bytes] = {}
        for life in range(1, LIVES + 1):
            path, data = self.file(f"file-{life}", 3000)
            stored[path.name] = data
            self.upload(node, path, path.name)
            self.grid.run(1)
            node.kill()
            shutil.rmtree(node.home)
            node = self.recover(key_file, f"alice-{life}")
            for name, data in stored.items():
                self.download(node, name, self.base / f"back-{life}")
                self.assertEqual((self.base / f"back-{life}" / name).read_bytes(), data)
        document = node.rooms.identity.me.document
        self.assertEqual((len(document.devices), len(document.former)), (8, LIVES + 1 - 8))
