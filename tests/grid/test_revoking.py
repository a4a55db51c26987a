"""What a person has after the devices of before were revoked: all that they had written until then."""

import shutil
from pathlib import Path

from bitdust.identity.document import OPEN_END
from bitdust.testing.grid import GridNode
from tests.grid.test_groups import GroupsCase

MINUTE = 60.0


class RevokedInGroups(GroupsCase):
    """Alice made a group and says more in it than there is in any log of her files."""

    def recovers(self, key_file: Path, name: str = "alice-again") -> GridNode:
        """A device that takes their word from all others."""
        node = self.grid.add_stranger(name)
        node.start()
        self.grid.wait(node.rooms.identity.registration.recover(key_file.read_text(), None, None, True), 300)
        self.grid.until(lambda: node.is_on("my_data"), 300, "the recovery")
        return node

    def is_settled(self, node: GridNode) -> bool:
        document = node.rooms.identity.me.document
        return not any(one.sequence == OPEN_END for one in (*document.devices, *document.former))

    def test_what_was_said_before(self) -> None:
        """All that a device said in a group before it was revoked is heard by who comes later, and by who recovers."""
        key = self.create()
        bob, carl = self.members
        self.invite(key, bob)
        texts = {str(number) for number in range(12)}
        for text in texts:
            self.say(key, self.alice, text)
        self.all_hear(key, [bob], texts)
        self.grid.run(10)
        key_file = self.key_file(self.alice)
        self.alice.kill()
        shutil.rmtree(self.alice.home)
        self.alice = self.recovers(key_file)
        self.grid.until(lambda: self.is_settled(self.alice), MINUTE, "the end of what counts")
        self.grid.until(lambda: self.is_said(key, self.alice, "again"), MINUTE, "the group")
        self.all_hear(key, [self.alice], texts | {"again"})
        self.invite(key, carl)
        self.all_hear(key, [carl], texts | {"again"})
