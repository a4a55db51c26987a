"""`bitdust device`: what it asks of the node, and what it prints."""

import stat

from bitdust.cli import asking, device
from tests.unit.test_cli_calls import NodeCase

PHONE = {
    "name": "phone", "active": True, "authorized": False, "meta": {"routed": False}, "url": "ws://127.0.0.1:8281/",
    "problem": "", "instance": {"state": "CLIENT_PUB?", "server_code": None, "connections": 0, "connected_routers": []},
}  # fmt: skip
MADE = {"server_public_key": "aa", "client_code": "123456", "client_key": "bb"}


def in_state(state: str, **more: object) -> dict:
    return {"result": PHONE | {"instance": PHONE["instance"] | {"state": state} | more}}


class DeviceTests(NodeCase):
    def test_list(self) -> None:
        """Names, states and addresses; where there is none it says how to add one."""
        self.answers["devices_list"] = {"result": [PHONE, {"name": "old", "active": False, "problem": "broken"}]}
        printed = self.asks("device", ("devices_list", {"sort": True}))
        self.assertIn("ws://127.0.0.1:8281/", printed)
        self.assertIn("broken", printed)
        self.prints_json("dev ls", self.answers["devices_list"]["result"])
        self.answers["devices_list"] = {"result": []}
        self.assertIn("bitdust device add", self.asks("devices list", ("devices_list", {"sort": True})))

    def test_one(self) -> None:
        """It is shown, added, started, stopped, reset and removed."""
        for method in ("info", "add", "start", "stop", "authorization_reset"):
            self.answers[f"device_{method}"] = {"result": PHONE}
        self.answers["device_remove"] = {"message": "phone is shut out and forgotten"}
        name = {"name": "phone"}
        self.assertIn("CLIENT_PUB?", self.asks("device show phone", ("device_info", name)))
        direct = name | {"routed": False, "wait_listening": False}
        self.asks("device add direct phone", ("device_add", direct))
        more = {"web_socket_host": "localhost", "web_socket_port": 9000}
        self.asks("device new direct phone localhost 9000", ("device_add", direct | more))
        self.asks("device add routed phone", ("device_add", name | {"routed": True, "wait_listening": True}))
        self.asks("device on phone", ("device_start", name | {"wait_listening": True}))
        self.asks("device stop phone", ("device_stop", name | {"deactivate": True}))
        self.asks("device off phone --for-now", ("device_stop", name | {"deactivate": False}))
        self.asks("device revoke phone", ("device_authorization_reset", name))
        self.assertIn("forgotten", self.asks("device rm phone", ("device_remove", name)))
        self.prints_json("device info phone", PHONE)

    def test_authorize(self) -> None:
        """The node's code is shown once the app has connected, and the app's code is asked for."""
        self.patch(device.time, "sleep", lambda seconds: None)
        self.patch(asking, "somebody_is_there", lambda: True)
        states = iter(("CLIENT_PUB?", "HANDSHAKE", "SERVER_CODE?", "SERVER_CODE?", "CLIENT_CODE?"))
        self.answers["device_start"] = {"result": PHONE}
        self.answers["device_info"] = lambda given: in_state(next(states), server_code="777888")
        self.answers["device_authorization_client_code"] = {"message": "phone is let in"}
        printed = self.cli("device", "pair", "phone", input="123456\n").output
        for words in ("connect the app to ws://127.0.0.1:8281/", "type at the app: 777888"):
            self.assertIn(words, printed)
        self.assertIn("is let in", printed)
        self.assertEqual(self.asked[-1][1], {"name": "phone", "client_code": "123456"})

    def test_authorize_in_vain(self) -> None:
        """One that is let in already, that ends, or that nobody connects to; and where nobody can type its code."""
        self.assertIn("nobody can be asked", self.cli("device", "authorize", "phone", code=2).output)
        self.assertEqual(self.asked, [])
        self.patch(asking, "somebody_is_there", lambda: True)
        self.patch(device.time, "sleep", lambda seconds: None)
        self.answers["device_start"] = in_state("READY")
        self.assertIn("reset phone", self.cli("device", "authorize", "phone", code=2).output)
        self.answers["device_start"] = {"result": PHONE}
        self.answers["device_info"] = {"result": PHONE | {"instance": None, "problem": "nobody came"}}
        self.assertIn("nobody came", self.cli("device", "authorize", "phone", code=1).output)
        self.answers["device_info"] = {"result": PHONE}
        self.assertIn("CLIENT_PUB?", self.cli("device", "authorize", "phone", "--timeout", "1", code=1).output)

    def test_authorize_by_key(self) -> None:
        """A key and its code that the app shows; what is printed goes to the app."""
        self.answers["device_authorization_request"] = {"result": PHONE | {"authorization": MADE}}
        given = {"name": "phone", "client_code": "123456", "client_public_key": "abcd"}
        printed = self.asks("device auth phone 123456 abcd", ("device_authorization_request", given))
        self.assertIn("server_public_key", printed)

    def test_generate(self) -> None:
        """Everything that an app needs, printed, or in a file that others cannot read."""
        self.answers["device_authorization_generate"] = {"result": PHONE | {"authorization": MADE}}
        asked = ("device_authorization_generate", {"name": "phone", "wait_listening": True})
        text = "ws://127.0.0.1:8281/&aa&123456&bb\n"
        self.assertEqual(self.asks("device key phone", asked), text)
        self.prints_json("device key phone", {"message": text.strip()})
        file = self.home / "access"
        self.cli("device", "generate-client-code", "phone", str(file))
        self.assertEqual((file.read_text(), stat.S_IMODE(file.stat().st_mode)), (text, 0o600))

    def test_router(self) -> None:
        """Whom this node carries."""
        row = {"route_id": "r1", "node_url": "u", "node_connected": True, "client_connected": 1, "node_bytes": 5,
               "client_bytes": 6}  # fmt: skip
        self.answers["device_router_info"] = {"result": {"routes": [row], "nodes_bytes": 5, "clients_bytes": 6}}
        self.assertIn("r1", self.asks("device router", ("device_router_info", {})))
        self.prints_json("device router", self.answers["device_router_info"]["result"])
