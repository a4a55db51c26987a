"""Two people without storage, each a daemon of its own, over TLS on loopback; each is killed once and is back."""

import threading
from typing import Any

from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, NodeProcess, wait_for
from tests.processes.test_clients import RestClient
from tests.processes.test_main_job import ProcessTests


class MessagesTests(ProcessTests):
    def person(self, name: str) -> NodeProcess:
        node = self.network.node(name)
        self.network.others.append(node)
        node.configure(self.network.joining | NO_CUSTOMER | NO_SUPPLIER)
        node.start()
        node.become(name)
        self.wait_for_messages(node)
        return node

    def wait_for_messages(self, node: NodeProcess) -> None:
        client = RestClient(node)
        wait_for(lambda: client.ok("GET", "service/info/private_messages/v1")["state"] == "ON", "messages")

    def send(self, node: NodeProcess, to: str, number: int) -> dict[str, Any]:
        body = {"id": f"master${to}", "data": {"number": number}, "timeout": 30}
        return dict(RestClient(node).ok("POST", "message/send/v1", body))

    def again(self, node: NodeProcess) -> None:
        node.kill()
        node.start()
        self.wait_for_messages(node)

    def numbers(self, node: NodeProcess, other: str) -> list[int]:
        rows = RestClient(node).ok("GET", "message/history/v1", id=other, message_type="private_message")
        return [row["doc"]["payload"]["data"]["number"] for row in rows]

    def test_conversation(self) -> None:
        """Delivered, consumed where a program polls, kept over kills of both, once each and in order."""
        alice, bob = self.person("alice"), self.person("bob")
        name = str(RestClient(bob).ok("GET", "identity/get/v1")["global_id"])
        mine = str(RestClient(alice).ok("GET", "identity/get/v1")["global_id"])
        self.assertFalse(self.send(alice, name, 1)["consumed"])
        heard: list[Any] = []
        polling = threading.Thread(
            target=lambda: heard.extend(RestClient(bob).ok("GET", "message/receive/test/v1", polling_timeout=15))
        )
        polling.start()
        wait_for(lambda: self.send(alice, name, 2)["consumed"] or not polling.is_alive(), "the poll")
        polling.join()
        self.assertEqual(heard[0]["data"], {"number": 2})
        bob.kill()
        body = {"id": name, "data": {"number": 3}, "ping_timeout": 0, "message_ack_timeout": 1}
        self.assertEqual(RestClient(alice).ok("POST", "message/send/v1", body)["state"], "stored")
        self.again(alice)
        bob.start()
        self.wait_for_messages(bob)
        wait_for(lambda: 3 in self.numbers(bob, mine), "the message of before")
        self.send(bob, mine, 4)
        numbers = self.numbers(bob, mine)
        self.assertEqual(numbers, sorted(numbers))
        self.assertEqual([numbers.count(number) for number in (1, 3, 4)], [1, 1, 1])
        self.assertEqual(self.numbers(alice, name)[-1], 4)
