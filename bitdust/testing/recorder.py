"""A recorder plays any port Protocol: it writes down what it is asked, and the test decides what it answers.

A test of a machine drives events and compares lists:

    port = Recorder(OnlineStatusPort)
    port.answers["has_session"] = True
    machine = OnlineStatus(registry, "alice", port)
    machine.send("ping")
    port.succeed("ping")
    self.assertEqual(port.calls, [("ping",), ("changed", True)])

What a member's annotation says it gives decides how it is played:

| gives | played |
|---|---|
| nothing | written into ``calls`` |
| a Deferred | written into ``calls``; it is kept by name until ``succeed``, ``fail`` or a cancellation ends it |
| anything else | a question, written into ``questions``; the test sets the answer: ``port.answers["is_full"] = True`` |
| a property or an attribute | answered in the same way, and written down nowhere |

An answer is a value, or something callable that gets the arguments; one that is set for a member that gives nothing or
a Deferred goes before what the table says. Commands and questions have lists of their own, because a guard may ask as
often as it likes. Arguments are checked against the signature, and an unknown member raises `AttributeError`.
"""

import inspect
from collections import Counter
from functools import cache, partial
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.wiring import members

Call = tuple[Any, ...]
"""The name of a method, then its arguments in the order of the signature."""


@frozen
class Asked:
    """What a method of a port takes and gives."""

    signature: inspect.Signature
    plain: int
    """How many arguments it takes by their place, where it takes these alone and all are needed; else -1."""
    is_question: bool
    gives_nothing: bool


@cache
def _members(port: type) -> dict[str, Asked | None]:
    """The members of a port; None for what is no method."""
    found = {name: inspect.getattr_static(port, name, None) for name in members(port)}
    return {name: _asked(member) if inspect.isfunction(member) else None for name, member in found.items()}


def _asked(member: Any) -> Asked:
    signature = inspect.signature(member)
    own = list(signature.parameters.values())[1:]
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    plain = all(one.kind in by_place and one.default is one.empty for one in own)
    gives = _words(signature.return_annotation)
    question = gives != "None" and "Deferred" not in gives
    return Asked(signature, len(own) if plain else -1, question, gives == "None")


class Recorder:
    """Plays ``port``; recorders that share a list of ``calls`` show the order across several ports."""

    def __init__(self, port: type, calls: list[Call] | None = None) -> None:
        known = _members(port)
        clashes = sorted(known.keys() & _CONTROLS)
        if not known or clashes:
            raise TypeError(f"{port.__name__} cannot be recorded: {', '.join(clashes) or 'it is no protocol'}")
        self._port = port
        self._members = known
        self._waiting: dict[str, list[Deferred[Any]]] = {}
        self.calls = [] if calls is None else calls
        self.questions: list[Call] = []
        self.answers: dict[str, Any] = {}
        self.cancelled: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Recorder of {self._port.__name__}>"

    # what the test does

    def succeed(self, name: str, result: Any = None) -> None:
        """Fire the oldest Deferred that ``name`` has handed out and that still waits."""
        self._next(name).callback(result)

    def fail(self, name: str, error: BaseException | None = None) -> None:
        """Fail the oldest Deferred that ``name`` has handed out and that still waits."""
        self._next(name).errback(Refused(name) if error is None else error)

    def waiting(self, name: str = "") -> int:
        """How many Deferreds of ``name``, or of all methods, have neither fired nor been cancelled."""
        return sum(len(found) for method, found in self._waiting.items() if name in ("", method))

    def _next(self, name: str) -> "Deferred[Any]":
        waiting = self._waiting.get(name)
        if not waiting:
            raise AssertionError(f"nobody waits for {self._port.__name__}.{name}")
        return waiting.pop(0)

    # what the port does

    def __getattr__(self, name: str) -> Any:
        if name not in self._members:
            raise AttributeError(f"{self._port.__name__} has no {name}")
        member = self._members[name]
        return self._answer(name) if member is None else partial(self._called, name, member)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _CONTROLS:
            super().__setattr__(name, value)
        elif name in self._members:
            self.answers[name] = value
        else:
            raise AttributeError(f"{self._port.__name__} has no {name}")

    def _called(self, name: str, member: Asked, *args: Any, **kwargs: Any) -> Any:
        arguments = args
        if kwargs or len(args) != member.plain:
            bound = member.signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            arguments = (*bound.args[1:], *bound.kwargs.values())
        (self.questions if member.is_question else self.calls).append((name, *arguments))
        if member.is_question or name in self.answers:
            return self._answer(name, *arguments)
        return None if member.gives_nothing else self._defer(name)

    def _answer(self, name: str, *arguments: Any) -> Any:
        if name not in self.answers:
            raise AssertionError(f"the test has no answer to {self._port.__name__}.{name}{arguments}")
        answer = self.answers[name]
        return answer(*arguments) if callable(answer) else answer

    def _defer(self, name: str) -> "Deferred[Any]":
        waiting = self._waiting.setdefault(name, [])

        def cancelled(deferred: "Deferred[Any]") -> None:
            self.cancelled[name] += 1
            waiting.remove(deferred)

        deferred: Deferred[Any] = Deferred(cancelled)
        waiting.append(deferred)
        return deferred


class Refused(Exception):
    """What a Deferred fails with when the test names no other reason."""


_STATE = {"_port", "_members", "_waiting", "calls", "questions", "answers", "cancelled"}
_CONTROLS = _STATE | {name for name in vars(Recorder) if not name.startswith("__")}


def _words(annotation: Any) -> str:
    """An annotation as it is written in the source; what has none gives nothing."""
    if annotation is None or annotation is inspect.Signature.empty:
        return "None"
    return str(annotation)
