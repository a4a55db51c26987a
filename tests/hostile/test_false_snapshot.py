"""A stolen device writes a snapshot that says nothing: what all devices have logged before is forgotten for it."""

import sqlite3

from bitdust.crypt.keyring import MASTER
from bitdust.identity.devices import with_revoked
from bitdust.storage.log.compaction import begin_with
from bitdust.storage.log.snapshot import write_snapshot
from tests.hostile.test_catalog_deletes import CatalogDeletesCase
from tests.unit.storage_kit import START, Node, stop_quietly

TABLES = ("items", "versions", "version_packs", "packs", "chunks", "tombstones")


class FalseSnapshotTests(CatalogDeletesCase):
    def setUp(self) -> None:
        super().setUp()
        for supplier in self.around.suppliers:
            supplier.shop.settings.values["services/supplier/deletion-delay"] = 48

    def destroy(self) -> None:
        """The thief forgets all that it has read, says so, and lets its log begin with that."""
        storage = self.thief.storage.core
        self.thief.create("lure")
        self.thief.pass_time(5)

        def write(database: sqlite3.Connection) -> None:
            for table in TABLES:
                database.execute(f"DELETE FROM {table}")
            keys = storage.log_writer.logs.writing(database, MASTER)
            first, _ = write_snapshot(database, keys, 2**60, START)
            begin_with(database, MASTER, keys.device, first)

        self.thief.wait(storage.catalog.change(write))
        storage.log_replicas.new_entry()
        self.thief.pass_time(10)
        heads = [head for head in self.thief.storage.heads() if head.device == self.thief.me.device.id]
        self.assertTrue(heads)

    def recovered(self) -> Node:
        """A node that was made from the key file alone and has revoked all others."""
        again = Node(self.base / "again", self.around, self.node.clock, before=self.thief)
        self.addCleanup(stop_quietly, again)
        others = [self.node.me.device.id, self.thief.me.device.id]
        again.me.replace_document(again.me.revise(devices=with_revoked(again.me.document, others).devices))
        again.start().pass_time(10)
        return again

    def test_who_comes_back_with_the_key_file(self) -> None:
        """All that was logged before is at suppliers for some days, and is read where that device is revoked."""
        self.destroy()
        self.thief.kill()
        self.node.kill()
        self.assert_back(self.recovered(), "lure")

    def test_another_device(self) -> None:
        """It keeps what it knows, and can write; whoever is recovered later has all of it."""
        self.destroy()
        self.compare()
        self.assertEqual(self.node.outdated, 0)
        self.assert_back(self.node, "lure")
        self.revoke()
        self.node.create("later")
        self.node.pass_time(10)
        self.thief.kill()
        self.node.kill()
        self.assert_back(self.recovered(), "later", "lure")
