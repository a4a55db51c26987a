"""What each command asks of the node, and what it prints of the answer, for people and for programs."""

import json
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

from click.testing import Result
from twisted.trial.unittest import SynchronousTestCase

from bitdust.checkup import home
from bitdust.checkup.finding import bad, ok, warn
from bitdust.cli import asking, daemon, network, states
from bitdust.cli.client import ApiClient, ApiError, NotRunning
from bitdust.cli.output import day
from bitdust.suppliers.departures import Why
from tests.unit.test_cli import run

ALICE = "alice@id.example"
DAY = 1_800_000_000.0
"""January 2027."""


class NodeCase(SynchronousTestCase):
    """A node that answers as the test says, by method; an exception is raised, a function gets the arguments."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.patch(ApiClient, "post", self.post)

    def post(self, path: str, arguments: dict[str, Any]) -> dict[str, Any]:
        method = path.removeprefix("/api/")
        self.asked.append((method, arguments))
        answer = self.answers.get(method, {"result": {}})
        answer = answer(arguments) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        answer = deepcopy(answer)
        return answer if "result" in answer or "message" in answer else {"result": answer}

    def cli(self, *words: str, code: int = 0, **options: Any) -> Result:
        if options.get("input") in ("y\n", "n\n"):  # somebody is there to type it
            self.patch(asking, "somebody_is_there", lambda: True)
        result = run(str(self.home), *words, **options)
        self.assertEqual(result.exit_code, code, result.output)
        return result

    def asks(self, words: str, *expected: tuple[str, dict[str, Any]], **options: Any) -> str:
        """The command asks exactly this; gives what it prints."""
        self.asked.clear()
        output = self.cli(*words.split(), **options).output
        self.assertEqual(self.asked, list(expected))
        return output

    def prints_json(self, words: str, value: Any) -> None:
        self.assertEqual(json.loads(self.cli("--json", *words.split()).output), value)

    def refuses(self, words: str, part: str, code: int = 1) -> None:
        self.assertIn(part, self.cli(*words.split(), code=code).output)


class SupplierTests(NodeCase):
    def row(self, position: int = 0, **more: Any) -> dict[str, Any]:
        return {"position": position, "global_id": ALICE, "supplier_state": "CONNECTED", "notice": None} | more

    def test_list(self) -> None:
        """Suppliers come by position; columns that nobody needs are left out."""
        self.answers["suppliers_list"] = {"result": [self.row()]}
        output = self.asks("supplier", ("suppliers_list", {}))
        self.assertIn(ALICE, output)
        self.assertNotIn("notice", output)
        self.prints_json("supplier list", [self.row()])
        self.asks(f"supplier list --customer {ALICE}", ("suppliers_list", {"customer_id": ALICE}))

    def test_what_is_beside_the_list(self) -> None:
        """Why the family is not complete, and why it does not heal by itself, is said below the list."""
        beside = {"waits_for": "nobody else is known", "healing": "a family of 3 does not heal by itself"}
        self.answers["suppliers_list"] = {"result": [self.row()], **beside}
        output = self.cli("supplier").output
        for text in beside.values():
            self.assertIn(f"note: {text}", output)

    def test_a_replacement(self) -> None:
        """While a place changes hands the list shows how far that has come."""
        rows = [self.row(), self.row(1, replaces="bob@id.example", replacement="MOVING")]
        self.answers["suppliers_list"] = {"result": rows}
        output = self.cli("supplier").output
        for text in ("replacement", "MOVING", "bob@id.example"):
            self.assertIn(text, output)

    def test_notices(self) -> None:
        """Why a supplier is to be replaced is said in words."""
        words = {
            Why.NOTICE: f"leaves by {day(DAY)}",
            Why.ASKED: "to be replaced",
            Why.AWAY: "away for too long, to be replaced",
            Why.AUDITS: "failed its audits, to be replaced",
            Why.REFUSES: "does not take what belongs to its place, to be replaced",
        }
        for why in Why:
            until = DAY if why is Why.NOTICE else 0
            row = self.row(0, notice={"why": why.value, "until": until})
            self.answers["suppliers_list"] = {"result": [row]}
            output = " ".join(self.cli("supplier").output.split())
            self.assertIn(words[why], output)
            self.assertEqual("leaves by" in output, why is Why.NOTICE)

    def test_problems(self) -> None:
        """What is amiss with a supplier is said in words, and since when it is away."""
        away, full = {"code": "away", "text": "is away"}, {"code": "full", "text": "is full: no room"}
        lags = {"code": "no-log", "text": "lags"}
        rows = [self.row(0, problems=[away], since=DAY), self.row(1, problems=[full, lags])]
        self.answers["suppliers_list"] = {"result": rows}
        output = " ".join(self.cli("supplier").output.split())
        for part in (f"is away since {day(DAY)}", "is full: no room; lags"):
            self.assertIn(part, output)

    def test_none(self) -> None:
        """Without suppliers it says where to look."""
        self.answers["suppliers_list"] = {"result": []}
        self.assertIn("no suppliers yet", self.cli("suppliers").output)

    def test_replace_and_ping(self) -> None:
        """A supplier is replaced by anybody or by a certain one, under any of the command's names."""
        self.answers["supplier_change"] = {"message": "supplier 2 is being replaced"}
        output = self.asks("supplier replace 2", ("supplier_change", {"supplier_id": "2"}))
        self.assertIn("supplier 2 is being replaced", output)
        expected = {"supplier_id": "2", "new_supplier_id": ALICE}
        self.asks(f"supplier fire 2 {ALICE}", ("supplier_change", expected))
        self.asks("supplier ping", ("suppliers_ping", {}))

    def test_spares(self) -> None:
        """Who may stand in, who does, and what a person decides about it."""
        place = {"position": 2, "global_id": ALICE, "instead_of": "bob@id.example", "since": DAY, "state": "FOUND"}
        status = {"after_days": 7, "spares": [ALICE], "problem": "", "places": [place]}
        self.answers["suppliers_spares"] = {"message": "spares stand in at 1 places", "result": status}
        output = self.asks("supplier spares", ("suppliers_spares", {}))
        for part in ("spares stand in", "7 days", ALICE, "bob@id.example", day(DAY)):
            self.assertIn(part, output)
        self.prints_json("supplier spares", status)
        for word in ("confirm", "dismiss"):
            self.answers[f"supplier_spare_{word}"] = {"message": f"it is a {word}"}
            output = self.asks(f"supplier {word} 2", (f"supplier_spare_{word}", {"position": 2}))
            self.assertIn(f"it is a {word}", output)

    def test_end(self) -> None:
        """A contract ends after a question, and data that would be lost needs a word of its own."""
        ended = {"supplier_id": "1", "lose_data": False}
        self.asks("supplier end 1", ("contracts_end", ended), input="y\n")
        self.asks("supplier end 1", code=1, input="n\n")
        self.asks("supplier end 1 --yes", ("contracts_end", ended))
        self.asks("supplier end --all --yes-lose-data", ("contracts_end", {"lose_data": True}))
        for words in ("supplier end", "supplier end 1 --all"):
            self.refuses(words, "name one supplier, or say --all", 2)

    def test_retire(self) -> None:
        """Customers get notice after a question; who still has data here is listed."""
        customers = [{"global_id": ALICE, "used": 3 << 20, "told": True, "keeps_until": DAY}]
        answer = {"message": "notice is given", "result": {"until": DAY, "customers": customers}}
        self.answers["supplier_retire"] = self.answers["supplier_retire_status"] = answer
        output = self.asks("supplier retire --days 20", ("supplier_retire", {"grace_days": 20.0}), input="y\n")
        for part in ("notice is given", day(DAY), ALICE, "3 MB"):
            self.assertIn(part, output)
        self.asks("supplier retire", code=1, input="n\n")
        self.asks("supplier retire --yes", ("supplier_retire", {"grace_days": 14.0}))
        self.asks("supplier retire --status", ("supplier_retire_status", {}))
        self.prints_json("supplier retire --status", answer["result"])
        self.answers["supplier_retire_cancel"] = {"message": "it stays", "result": {"until": None, "customers": None}}
        output = self.asks("supplier retire --cancel", ("supplier_retire_cancel", {}))
        self.assertEqual(output.strip(), "it stays")
        self.refuses("supplier retire --cancel --status", "exclude each other", 2)


class CustomerTests(NodeCase):
    def test_list(self) -> None:
        """Customers come with what they use of their quota."""
        row = {"global_id": ALICE, "customer_state": "ACTIVE", "used": 1 << 20, "quota": 1 << 30, "pieces": 4,
               "unfilled": 0, "fingerprint": "ab" * 32, "name_proven": False}  # fmt: skip
        self.answers["customers_list"] = {"result": [row]}
        output = self.asks("customer", ("customers_list", {"verbose": True}))
        for part in (f"{'ab' * 8} (unproven: {ALICE})", "1 MB", "1 GB"):
            self.assertIn(part, output)
        self.prints_json("customer list", [row])
        self.answers["customers_list"] = {"result": None}
        self.assertIn("no customers yet", self.cli("customers").output)

    def test_reject(self) -> None:
        """A customer is rejected after a question, with time to move unless its pieces are to go at once."""
        expected = {"customer_id": ALICE, "at_once": False}
        output = self.asks(f"customer reject {ALICE}", ("customer_reject", expected), input="y\n")
        self.assertIn("90 days", output)
        output = self.asks(f"customer rm {ALICE} --at-once", code=1, input="n\n")
        self.assertIn("nowhere else", output)
        self.asks(f"customer reject {ALICE} --at-once --yes", ("customer_reject", expected | {"at_once": True}))
        self.asks("customer ping", ("customers_ping", {}))

    def test_storage(self) -> None:
        """Space is shown in three parts, as far as the node knows it."""
        self.answers |= {"space_donated": {"donated": 8 << 30}, "space_consumed": {"needed": 1 << 30}}
        output = self.asks("storage", ("space_donated", {}), ("space_consumed", {}), ("space_local", {}))
        for part in ("given to others", "8 GB", "kept by others", "1 GB", "on this disk"):
            self.assertIn(part, output)
        everything = {"space_donated": {"donated": 8 << 30}, "space_consumed": {"needed": 1 << 30}, "space_local": {}}
        self.prints_json("storage", everything)


class FullHomeTests(NodeCase):
    def test_a_disk_that_takes_nothing(self) -> None:
        """Whoever starts a node on a full disk is told so, and what to do; on a good one nothing is said."""
        told: list[str] = []
        self.patch(daemon.click, "echo", lambda text, err: told.append(text))
        memory = warn("disk", "it is in memory", "move it")
        for finding in (ok("disk", "9 GB are free"), memory, bad("disk", "it is full", "make room")):
            self.patch(home, "disk", lambda folder, finding=finding: [finding])
            daemon.tell_if_full(self.home)
        self.assertEqual(told, ["it is full: make room"])


class NetworkTests(NodeCase):
    def test_methods_are_commands_for_a_person(self) -> None:
        """Where a text of the node names a method a person reads what to type; a program reads what was said."""
        self.answers["network_reconnect"] = ApiError("not-found", "service x does not exist; see services_list")
        self.refuses("network reconnect", "see bitdust services")
        self.assertIn("see services_list", self.cli("--json", "network", "reconnect", code=1).output)

    def test_status(self) -> None:
        """How the node is connected, line by line."""
        everything = {"suppliers": True, "customers": True, "dht": True, "tcp": True}
        found = {
            "p2p_connector_state": "CONNECTED",
            "suppliers": {"desired": 4, "connected": 3},
            "tcp": {"port": 14441, "sessions": [{}, {}]},
            "dht": {"layers": [{"contacts": ["a", "b", "c"]}, {"contacts": []}]},
        }
        self.answers["network_status"] = found
        shown = self.asks("network", ("network_status", everything))
        for part in ("connected", "3 of 4 are connected", "2, at port 14441", "3 nodes are known"):
            self.assertIn(part, shown)
        self.assertNotIn("{", shown)
        self.prints_json("network", found)
        self.answers["network_configuration"] = {"name": "default"}
        self.assertIn("default", self.asks("network config", ("network_configuration", {})))
        self.prints_json("network config", {"name": "default"})

    def test_connected(self) -> None:
        """It waits as long as it is told to, and ends with 1 when the node is not connected."""
        self.assertIn("connected", self.asks("network connected", ("network_connected", {"wait_timeout": 5.0})))
        self.prints_json("network connected", {"message": "connected", "connected": True})
        self.answers["network_connected"] = ApiError("not-connected", "service_network() is OFF")
        self.refuses("network connected --timeout 1", "service_network() is OFF")
        self.asks("reconnect", ("network_reconnect", {}))

    def test_networks(self) -> None:
        """Networks are kept and chosen without a node; an asterisk marks the one in use."""
        definition = self.home / "lab.json"
        definition.write_text(json.dumps({"name": "lab", "label": "The lab", "maintainer": "carol"}))
        self.assertIn("network lab", self.asks(f"network create {definition}"))
        self.assertEqual(self.cli("network", "list").output, "  default\n* lab  The lab\n")
        self.prints_json("network list", {"current": "lab", "networks": ["default", "lab"]})
        self.assertIn("network default", self.asks("network select default"))
        self.refuses("network select nowhere", "nowhere")
        definition.write_text("{}")
        self.refuses(f"network create {definition}", "no definition of a network")
        self.refuses("network create missing.json", "cannot be read")
        self.refuses("network create https://lab.example/network.json", "start BitDust first")

    def test_networks_of_a_running_node(self) -> None:
        """A running node is asked to change its network itself."""
        self.patch(network, "running_pid", lambda home: 7)
        self.answers |= dict.fromkeys(("network_create", "network_select"), {"message": "BitDust starts again"})
        url = "https://lab.example/network.json"
        self.asks(f"network create {url}", ("network_create", {"url": url}))
        self.assertIn("starts again", self.asks("network select lab", ("network_select", {"name": "lab"})))

    def test_ping(self) -> None:
        """A user is asked for a sign of life."""
        self.answers["user_ping"] = {"message": f"{ALICE} answers", "result": {"time": 0.1}}
        output = self.asks(f"ping {ALICE}", ("user_ping", {"user_id": ALICE, "timeout": 15.0}))
        self.assertIn("answers", output)
        self.prints_json(f"ping {ALICE}", {"message": f"{ALICE} answers", "time": 0.1})

    def test_dht(self) -> None:
        """Values are JSON where they can be, and text otherwise; nodes are found near an id or a random one."""
        self.answers |= {"dht_value_get": {"read": "success"}, "dht_local_db_dump": {"result": []}}
        self.assertIn("success", self.asks("dht get name", ("dht_value_get", {"key": "name"})))
        self.prints_json("dht get name", {"read": "success"})
        self.asks('dht set name {"a":1}', ("dht_value_set", {"key": "name", "value": {"a": 1}}))
        self.asks("dht set name plain", ("dht_value_set", {"key": "name", "value": "plain"}))
        self.asks("dht find", ("dht_node_find", {"layer_id": 0}))
        self.asks("dht find ff --layer 3", ("dht_node_find", {"layer_id": 3, "node_id_64": "ff"}))
        self.assertIn("no records", self.asks("dht dump", ("dht_local_db_dump", {})))
        self.prints_json("dht dump", [])

    def test_what_moves(self) -> None:
        """Packets, pieces and sessions come as tables, or a sentence says that there are none."""
        for command, method in (("packets", "packets_list"), ("connections", "connections_list")):
            self.answers[method] = {"result": []}
            self.assertIn("at the moment", self.asks(command, (method, {})))
            self.prints_json(command, [])
        piece = {"packet_id": "p1", "remote_path": "documents"}
        rows = [{"global_id": ALICE, "outgoing": [piece], "incoming": [piece | {"packet_id": "p2"}]}]
        self.answers["transfers_list"] = {"result": rows}
        output = self.asks("transfers", ("transfers_list", {}))
        self.assertEqual([line.split()[:3] for line in output.splitlines()[1:]],
                         [[ALICE, "outgoing", "p1"], [ALICE, "incoming", "p2"]])  # fmt: skip
        self.prints_json("transfers", rows)


class ServiceTests(NodeCase):
    def rows(self) -> list[dict[str, Any]]:
        def row(name: str, depends: list[str], distance: int, **more: Any) -> dict[str, Any]:
            base = {"name": f"service_{name}", "state": "ON", "enabled": True, "healthy": True, "reason": ""}
            return base | {"depends": [f"service_{need}" for need in depends], "root_distance": distance} | more

        return [
            row("network", [], 0),
            row("dht", ["network"], 1),
            row("tcp", ["network"], 1, state="OFF", healthy=False, reason="the port is taken"),
            row("gateway", ["dht", "tcp"], 2, state="DEPENDS_OFF", healthy=False),
        ]

    def test_tree(self) -> None:
        """A service stands under what it needs, and what else it needs is in brackets."""
        self.answers["services_list"] = {"result": self.rows()}
        output = self.asks("services", ("services_list", {"with_health": False}))
        heads, *lines = output.splitlines()
        names = [line[: heads.index("state")].rstrip() for line in lines]
        self.assertEqual(names, ["network", "├─ dht", "└─ tcp", "   └─ gateway [dht]"])
        self.assertIn("the port is taken", output)
        flat = self.cli("services", "--flat").output
        self.assertEqual([line.split()[0] for line in flat.splitlines()[1:]], ["network", "dht", "tcp", "gateway"])
        self.prints_json("service tree", self.rows())

    def test_health(self) -> None:
        """One that is ill ends the command with 1; one that only waits for it does not."""
        self.answers["services_list"] = {"result": self.rows()}
        self.cli("services", "--health", code=1)
        self.assertEqual(self.asked, [("services_list", {"with_health": True})])
        self.answers["services_list"] = {"result": [row for row in self.rows() if row["name"] != "service_tcp"]}
        self.cli("services", "--health")

    def test_one(self) -> None:
        """A service is shown by its bare name, started, stopped, restarted and checked."""
        self.answers["service_info"] = {"name": "service_dht", "state": "ON", "since": time.time()}
        named = {"service_name": "dht"}
        self.assertIn("ON", self.asks("service dht", ("service_info", named)))
        self.prints_json("service info dht", self.answers["service_info"])
        self.answers["service_restart"] = {"result": [{"stopped": True}, {"started": True}]}
        self.assertIn("stopped, started", self.asks("service restart dht", ("service_restart", named)))
        self.asks("service enable dht", ("service_start", named))
        self.assertIn("done", self.asks("service off dht", ("service_stop", named)))
        self.assertIn("is healthy", self.asks("service health dht", ("service_health", named)))


class StateTests(NodeCase):
    def test_list(self) -> None:
        """Machines come with their timers, those whose id contains a word or all."""
        row = {"index": 1, "id": "backup(7)", "state": "SENDING", "since": time.time() - 7200}
        other = {"index": 2, "id": "packet_in(8)", "state": "DONE", "since": None, "timers": {"timer-5sec": 3.2}}
        self.answers["automats_list"] = {"result": [row, other]}
        output = self.asks("states", ("automats_list", {}))
        for part in ("backup(7)", "2h", "timer-5sec in 3s"):
            self.assertIn(part, output)
        self.assertNotIn("packet_in", self.cli("states", "--name", "backup").output)
        self.prints_json("states --name backup", [row])
        self.assertIn("no such state machines", self.cli("states", "--name", "nothing").output)

    def test_one(self) -> None:
        """One machine is found by number or id, with its last moves."""
        past = [{"time": time.time() - 60, "old": "SCAN", "new": "READ", "event": "scanned"}]
        self.answers["automat_info"] = {"id": "backup(7)", "state": "READ", "past": past}
        self.assertIn("SCAN -> READ", self.asks("states info 12", ("automat_info", {"index": 12})))
        self.asks("states show backup(7)", ("automat_info", {"automat_id": "backup(7)"}))

    def test_follow(self) -> None:
        """Moves are printed as they come; what was left out, and a node that goes and comes, is said."""
        move = {"time": DAY, "id": "backup(7)", "old": "SCAN", "new": "READ", "event": "scanned"}
        answers: list[Any] = [
            {"missed": 3, "moves": [move]},
            NotRunning(self.home),
            NotRunning(self.home),
            {"moves": [move | {"new": "RAID"}]},
        ]

        def call(client: ApiClient, method: str, **arguments: Any) -> Any:
            if method == "process_health":
                return {}
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        pauses: list[float] = []
        self.patch(ApiClient, "call", call)
        self.patch(states.time, "sleep", pauses.append)
        output = self.cli("states", "follow", "--count", "2").output
        parts = ("3 moves were left out", "SCAN -> READ", "does not answer", "the node is back", "SCAN -> RAID")
        places = [output.index(part) for part in parts]
        self.assertEqual((places, pauses), (sorted(places), [states.LOOK_AGAIN] * 2))
