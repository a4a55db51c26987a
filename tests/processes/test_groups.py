"""A group of five people without storage, each a daemon of its own, over TLS on loopback; one is killed and is back."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, NodeProcess, wait_for
from tests.processes.test_clients import RestClient
from tests.processes.test_main_job import ProcessTests


class GroupTests(ProcessTests):
    def person(self, name: str) -> NodeProcess:
        node = self.network.node(name)
        self.network.others.append(node)
        node.configure(self.network.joining | NO_CUSTOMER | NO_SUPPLIER)
        node.start()
        node.become(name)
        self.wait_for_groups(node)
        return node

    def wait_for_groups(self, node: NodeProcess) -> None:
        client = RestClient(node)
        wait_for(lambda: client.ok("GET", "service/info/private_groups/v1")["state"] == "ON", "groups")

    def say(self, node: NodeProcess, key: str, text: str) -> None:
        RestClient(node).ok("POST", "message/send/group/v1", {"group_key_id": key, "data": {"text": text}})

    def heard(self, node: NodeProcess, key: str) -> list[str]:
        rows = RestClient(node).ok("GET", "message/history/v1", id=key, message_type="group_message", limit=1000)
        return [row["doc"]["payload"]["data"]["text"] for row in rows]

    def joined(self, node: NodeProcess, key: str) -> dict[str, Any]:
        return dict(RestClient(node).ok("GET", "group/info/v1", group_key_id=key))

    def test_a_group_of_five(self) -> None:
        """All hear all, once and each sender's in order, over the kill of a keeper that had said something."""
        with ThreadPoolExecutor(5) as pool:
            people = list(pool.map(self.person, ("alice", "bob", "carl", "dave", "erin")))
        alice, bob = people[:2]
        key = str(RestClient(alice).ok("POST", "group/create/v1", {"label": "five"})["group_key_id"])
        RestClient(alice).ok("POST", "group/join/v1", {"group_key_id": key})
        for node in people[1:]:
            name = str(RestClient(node).ok("GET", "identity/get/v1")["global_id"])
            RestClient(alice).ok("PUT", "group/share/v1", {"group_key_id": key, "trusted_id": name, "timeout": 60})
            RestClient(node).ok("POST", "group/join/v1", {"group_key_id": key})
        wait_for(lambda: len(self.joined(alice, key)["keepers"]) == 5, "the keepers")
        said = []

        def round_of(number: int, speakers: list[NodeProcess]) -> None:
            for node in speakers:
                said.append(f"{node.name} {number}")
                self.say(node, key, said[-1])

        round_of(1, people)
        round_of(2, [bob])
        bob.kill()
        round_of(3, [node for node in people if node is not bob])
        bob.start()
        self.wait_for_groups(bob)
        round_of(4, people)
        for node in people:
            wait_for(lambda node=node: len(self.heard(node, key)) >= len(said), f"what was said to {node.name}")
            found = self.heard(node, key)
            self.assertEqual(sorted(found), sorted(said))
            for other in people:
                theirs = [text for text in found if text.startswith(other.name)]
                self.assertEqual(theirs, [text for text in said if text.startswith(other.name)])
        info = self.joined(bob, key)
        self.assertEqual((info["state"], info["joint_postman"], info["dropped"]), ("CONNECTED", "members", 0))
