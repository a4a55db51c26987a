"""A small client of a node's REST API, over the standard library."""

import json
import time
from pathlib import Path
from typing import Any

from bitdust.cli.lock import running_pid

CALL_TIMEOUT = 180.0
YOUNG = 20.0
"""Seconds after its start in which a node's services may still be on their way."""
STARTING = ("STARTING", "DEPENDS_OFF")
AGAIN = 0.2


class ApiError(Exception):
    """The node answered ERROR, or not at all; ``code`` is stable."""

    def __init__(self, code: str, text: str, envelope: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.envelope = envelope or {}


class NotRunning(ApiError):
    """There is no node to ask."""

    def __init__(self, home: Path, starting: bool = False) -> None:
        """``starting``: a process has the home, and has not opened its API yet."""
        daemon = "bitdust daemon" if home == Path.home() / ".bitdust" else f"bitdust --appdir {home} daemon"
        text = f"BitDust is not running in {home}; start it with: {daemon}"
        if starting:
            text = (
                f"BitDust is not running in {home} yet: its process has not opened its API. Wait a moment, or see why: "
                f"bitdust log -n 20. Where it has ended, start it with: {daemon}"
            )
        super().__init__("not-running", text)


class ApiClient:
    """Calls methods of the node whose home folder this is."""

    def __init__(self, home: Path, timeout: float | None = CALL_TIMEOUT, patient: bool = False) -> None:
        """``patient``: where a node has just started, wait for the service that a method needs."""
        self._home = home
        self._timeout = timeout
        self._patient = patient

    @property
    def port(self) -> int:
        """The REST port that the node wrote down. Raises `NotRunning`."""
        return int(self._ports()["rest"])

    def _ports(self) -> dict[str, int]:
        if running_pid(self._home) is None:
            raise NotRunning(self._home)
        try:
            ports: dict[str, int] = json.loads((self._home / "metadata" / "apiports").read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            raise NotRunning(self._home, starting=True) from None
        if "rest" not in ports:
            raise ApiError(
                "no-rest", "the REST API of the node is off; bitdust set interface/api/rest-http-enabled true"
            )
        return ports

    @property
    def secret(self) -> str:
        """The API's secret."""
        try:
            return (self._home / "apisecret").read_text().strip()
        except FileNotFoundError:
            return ""

    def call(self, method: str, **arguments: Any) -> Any:
        """The ``result`` of a method, {} when it has none. Raises `ApiError`."""
        return self.envelope(method, **arguments).get("result", {})

    def envelope(self, method: str, **arguments: Any) -> dict[str, Any]:
        """The whole answer. Raises `ApiError` when it is ERROR, and when there is none."""
        return self.post(f"/api/{method}", arguments)

    def post(self, path: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The whole answer at a path of the API. Raises `ApiError` as `envelope` does."""
        body = json.dumps(arguments).encode()
        answer = self._ask(path, body)
        while self._patient and answer.get("state") in STARTING and answer.get("code") == "service-off":
            if not self._is_young():
                break
            time.sleep(AGAIN)
            answer = self._ask(path, body)
        if answer.get("status") != "OK":
            errors = answer.get("errors") or ["the node answered without a reason"]
            raise ApiError(str(answer.get("code", "error")), "; ".join(map(str, errors)), answer)
        return answer

    def _is_young(self) -> bool:
        try:
            return time.time() - (self._home / "metadata" / "apiports").stat().st_mtime < YOUNG
        except OSError:
            return False

    def _ask(self, path: str, body: bytes) -> dict[str, Any]:
        import http.client  # a third of what `bitdust --help` would load, and of no use to it

        headers = {"api_secret": self.secret, "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self._timeout)
        try:
            connection.request("POST", path, body, headers)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        except ConnectionRefusedError:
            raise NotRunning(self._home) from None
        except TimeoutError as error:
            raise ApiError("timeout", f"the node did not answer within {self._timeout:.0f} seconds") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError("no-answer", f"the node did not answer: {error or type(error).__name__}") from error
        finally:
            connection.close()
        return answer
