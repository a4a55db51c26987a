"""What the API says of itself is tried by a program that knows nothing else: schemathesis, against a real daemon."""

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli.processes import QUIET, NodeProcess

LEFT_OUT = {
    "process_stop": "it ends the process that is tried",
    "process_restart": "it ends the process that is tried",
    "stop_2016": "it ends the process that is tried",
    "restart_2016": "it ends the process that is tried",
    "automats_follow": "it waits for a state machine to move",
    "message_receive": "it waits for a message",
    "receive_one_message_2016": "it waits for a message, for ever if it is not told how long",
    "event_listen": "it waits for an event, for ever if it is not told how long",
}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = {GenerationMode.POSITIVE: 4, GenerationMode.NEGATIVE: 3}
"""So many calls a method, with good and with bad arguments; always the same ones."""
PATIENCE = 30.0


class SchemathesisTests(SynchronousTestCase):
    """A daemon without identity and without anybody to talk to."""

    def setUp(self) -> None:
        base = Path(tempfile.mkdtemp(prefix="bitdust-test-"))
        self.addCleanup(shutil.rmtree, base, ignore_errors=True)
        self.node = NodeProcess("alone", base / "alone")
        self.node.configure(QUIET)
        self.addCleanup(self.node.stop)
        self.node.start()
        self.base = f"http://127.0.0.1:{self.node.client.port}"
        self.headers = {"api_secret": self.node.client.secret}
        self.session = requests.Session()
        self.addCleanup(self.session.close)
        self.codes: Counter[str] = Counter()

    def test_every_operation(self) -> None:
        """Good and bad arguments of every method get an answer as its schema says: never a traceback or 5xx, never
        nothing."""
        document = self.document()
        document.pop("security")  # wrong secrets have tests of their own, and would close the API to the right calls
        seen = set()
        for found in schemathesis.openapi.from_dict(document).get_all_operations():
            operation: Any = found.ok()
            name = operation.definition.raw["operationId"]
            seen.add(name)
            if name not in LEFT_OUT:
                for mode in GenerationMode:
                    self.exercise(operation, mode)
        self.assertLessEqual(LEFT_OUT.keys(), seen)
        self.assertNotIn("internal", self.codes)
        self.assertGreater(self.codes["OK"], 20)
        self.assertGreater(self.codes["bad-argument"], 20)
        for log in (self.node.home / "logs").iterdir():
            self.assertNotIn("Traceback", log.read_text(errors="replace"), log.name)

    def document(self) -> dict[str, Any]:
        with urlopen(Request(f"{self.base}/openapi.json", headers=self.headers), timeout=PATIENCE) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def exercise(self, operation: Any, mode: GenerationMode) -> None:
        @settings(
            max_examples=EXAMPLES[mode], derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
        )  # fmt: skip
        @given(operation.as_strategy(generation_mode=mode))
        def calls(case: Any) -> None:
            answer = case.call(base_url=self.base, headers=self.headers, timeout=PATIENCE, session=self.session)
            envelope = json.loads(answer.content)
            self.codes[envelope.get("code") or envelope.get("status", "document")] += 1
            case.validate_response(answer, checks=CHECKS)

        try:
            calls()
        except Unsatisfiable:
            # there is nothing that could be wrong about a method without arguments
            self.assertIs(mode, GenerationMode.NEGATIVE, operation.label)
