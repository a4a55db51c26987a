"""What the source shows of machines: which events are sent, by whom, and what each machine's module holds.

Nothing is run; modules are read as syntax trees. `bitdust.automats.kernel.check` compares this with the tables.
"""

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from attrs import define, frozen

EVENT_STREAM = ("events", "_events")  # bitdust.events.Events has a `send` of its own, which no machine gets
_ASYNC_NAMES = ("inlineCallbacks", "fromCoroutine", "ensureDeferred", "asyncio", "reactor", "deferToThread")


@frozen
class Sent:
    """One place that sends an event; ``own`` when a machine sends it to itself."""

    event: str
    module: str
    line: int
    own: bool


@frozen
class Unreadable:
    """A place that sends an event whose name stands nowhere in the source."""

    module: str
    line: int
    text: str


@frozen
class Watch:
    """A Deferred that an action hands to the kernel, and the two events it becomes."""

    method: str
    line: int
    success: str
    failure: str


@define
class Source:
    """One module, its dotted name and its tree."""

    module: str
    tree: ast.Module

    @cached_property
    def _marked(self) -> tuple[ast.Call | ast.Import | ast.ImportFrom, ...]:
        """What is looked for again and again; to walk over the tree takes far longer."""
        return tuple(node for node in ast.walk(self.tree) if isinstance(node, ast.Call | ast.Import | ast.ImportFrom))

    @cached_property
    def imports(self) -> frozenset[str]:
        """Dotted names of what this module imports, both packages and what is taken out of them."""
        found: set[str] = set()
        for node in self._marked:
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
        return frozenset(found)

    @cached_property
    def searches(self) -> frozenset[str]:
        """Names under which this module asks a registry for machines."""
        arguments = (call.args[0] for call, _ in self.calls("find") if call.args)
        return frozenset(str(named.value) for named in arguments if isinstance(named, ast.Constant))

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """Classes at the top of the module."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    def calls(self, method: str) -> Iterator[tuple[ast.Call, ast.Attribute]]:
        """Every call of a method with this name, on whatever object."""
        for node in self._marked:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
                yield node, node.func

    def sends(self) -> Iterator[Sent | Unreadable]:
        """Events that this module sends; what is written to sessions, outboxes and the event stream is left out."""
        for call, function in self.calls("send"):
            receiver = last_name(function.value)
            if not call.args or receiver in EVENT_STREAM:
                continue
            own = receiver == "self"
            events = self._events(call.args[0])
            if events is None and (own or receiver.endswith("machine")):
                yield Unreadable(self.module, call.lineno, ast.unparse(call))
            for event in events or ():
                yield Sent(event, self.module, call.lineno, own)
        for call, function in self.calls("watch"):
            own = last_name(function.value) == "self"
            for argument in call.args[1:3]:
                for event in self._events(argument) or ():
                    yield Sent(event, self.module, call.lineno, own)

    def _events(self, node: ast.expr) -> tuple[str, ...] | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return (node.value,)
        if isinstance(node, ast.IfExp):
            body, orelse = self._events(node.body), self._events(node.orelse)
            return None if body is None or orelse is None else body + orelse
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return self._enumerated(node.func.attr)
        return None

    def _enumerated(self, method: str) -> tuple[str, ...] | None:
        """Values of the enumeration that a method of this module's port is annotated with."""
        for found in self._methods_of_module(method):
            kind = self.classes.get(last_name(found.returns)) if found.returns is not None else None
            if kind is not None and any(last_name(base) == "StrEnum" for base in kind.bases):
                values = (node.value for node in kind.body if isinstance(node, ast.Assign))
                return tuple(str(value.value) for value in values if isinstance(value, ast.Constant))
        return None

    def _methods_of_module(self, name: str) -> Iterator[ast.FunctionDef]:
        for found in self.classes.values():
            yield from (method for method in methods(found) if method.name == name)

    def asynchronous(self) -> Iterator[tuple[int, str]]:
        """Lines with code that would run past the end of an event, or that reaches for a clock of its own."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
                yield node.lineno, "async" if not isinstance(node, ast.Await) else "await"
            elif isinstance(node, ast.Name | ast.Attribute) and last_name(node) in _ASYNC_NAMES:
                yield node.lineno, last_name(node)
            elif isinstance(node, ast.ImportFrom | ast.Import):
                for alias in node.names:
                    if alias.name.rpartition(".")[2] in _ASYNC_NAMES:
                        yield node.lineno, alias.name


def last_name(node: ast.expr) -> str:
    """``c`` of ``a.b.c``, also when it is called or indexed; an empty text for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Subscript):
        return last_name(node.value)
    return ""


def methods(found: ast.ClassDef) -> list[ast.FunctionDef]:
    """The functions of a class, in the order of the source."""
    return [node for node in found.body if isinstance(node, ast.FunctionDef)]


def watches(found: ast.ClassDef) -> Iterator[Watch]:
    """Every ``self.watch(deferred, "success", "failure")`` of a machine."""
    for method in methods(found):
        for node in ast.walk(method):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "self.watch" or len(node.args) != 3:
                continue
            names = [argument.value for argument in node.args[1:] if isinstance(argument, ast.Constant)]
            if len(names) == 2:
                yield Watch(method.name, node.lineno, str(names[0]), str(names[1]))


def own_attributes(found: ast.ClassDef) -> frozenset[str]:
    """Names that a class reads or writes on ``self``."""
    return frozenset(
        node.attr
        for node in ast.walk(found)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    )


def port_calls(found: ast.ClassDef, attribute: str) -> Iterator[tuple[int, str]]:
    """What is asked of ``self.<attribute>``, with its line."""
    for node in ast.walk(found):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == f"self.{attribute}":
            yield node.lineno, node.attr


def modules(root: Path, package: str) -> dict[str, Path]:
    """Files below ``root``, which is the folder of ``package``, by dotted name in the order of their paths."""
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*.py")):
        parts = [package, *path.relative_to(root).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def read(root: Path, package: str) -> dict[str, Source]:
    """All modules below ``root``, in the same order."""
    return {
        module: Source(module, ast.parse(path.read_text(encoding="utf-8"), str(path)))
        for module, path in modules(root, package).items()
    }
