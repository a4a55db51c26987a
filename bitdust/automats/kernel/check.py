"""Checks every machine's table against itself, against its class and its port, and against who sends its events.

``python -m bitdust.automats.kernel.check`` writes one line for each finding and ends with 1 when there is any.
"""

import ast
import gc
import importlib
import inspect
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from attrs import frozen

from bitdust.automats.kernel.machine import Machine
from bitdust.automats.kernel.sources import (
    Sent,
    Source,
    Unreadable,
    Watch,
    last_name,
    methods,
    modules,
    own_attributes,
    port_calls,
    read,
    watches,
)
from bitdust.automats.kernel.table import ANY, STAY, Definition, Row, is_timer

AUTOMATS = "bitdust.automats"
KERNEL = f"{AUTOMATS}.kernel"
Kind = type[Machine]


@frozen
class Finding:
    """Something that is wrong, and where."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


# finding the machines


def load(module: str) -> list[Kind]:
    """Machines that are defined in this module, in the order of the source."""
    found = importlib.import_module(module)
    return [
        kind
        for kind in vars(found).values()
        if inspect.isclass(kind) and issubclass(kind, Machine) and kind.__module__ == module
    ]


def machine_modules(sources: Iterable[str]) -> list[str]:
    """Modules in which a machine should be."""
    return [name for name in sources if name.startswith(f"{AUTOMATS}.") and not f"{name}.".startswith(f"{KERNEL}.")]


def all_machines(root: Path) -> list[Kind]:
    """Every machine of the package whose folder is ``root``, in the order of their names."""
    kinds = [kind for module in machine_modules(modules(root, "bitdust")) for kind in load(module)]
    return sorted(kinds, key=lambda kind: kind.name)


def package_root() -> Path:
    """The folder of ``bitdust`` that this file belongs to."""
    return Path(__file__).resolve().parents[2]


# the table by itself


def moves(definition: Definition, state: str) -> Iterator[tuple[Row, str]]:
    """Rows that can be followed in a state, with the state each leads to; final states have none."""
    if state in definition.final:
        return
    for event in definition.events:
        for row in definition.rows_for(state, event):
            yield row, state if row.next == STAY else row.next


def reachable(definition: Definition) -> set[str]:
    """States that some order of events leads to."""
    return _spread({definition.initial}, lambda state: {after for _, after in moves(definition, state)})


def ending(definition: Definition) -> set[str]:
    """States from which some order of events leads to a final one."""
    before: dict[str, set[str]] = {state: set() for state in definition.states}
    for state in definition.states:
        for _, after in moves(definition, state):
            before[after].add(state)
    return _spread(set(definition.final), lambda state: before[state])


def _spread(first: set[str], neighbours: Callable[[str], set[str]]) -> set[str]:
    found, waiting = set(first), deque(first)
    while waiting:
        new = neighbours(waiting.popleft()) - found
        found |= new
        waiting.extend(new)
    return found


def check_table(kind: Kind) -> list[str]:
    """States nobody comes to, states nobody leaves, cells that say nothing, rows and ignores that never count."""
    definition = kind.definition()
    return [*_check_states(kind, definition), *_check_cells(definition), *_check_ignored(definition)]


def _check_states(kind: Kind, definition: Definition) -> Iterator[str]:
    reached, ends = reachable(definition), ending(definition)
    for state in definition.states:
        if state not in reached:
            yield f"{state} is never reached from {definition.initial}"
        if state in definition.final:
            continue
        if not any(after != state for _, after in moves(definition, state)):
            yield f"{state} has no way out"
        elif not kind.endless and state not in ends:
            yield f"{state} has no way to a final state, and the machine is not `endless`"
    if kind.endless and definition.final:
        yield "it is `endless`, yet it has final states"


def _check_cells(definition: Definition) -> Iterator[str]:
    for state, event in definition.silent():
        yield f"{state} says nothing of {event}: add a row, or name it in `ignore`"
    used = {id(row) for state in definition.states for row, _ in moves(definition, state)}
    for row in definition.rows:
        if id(row) not in used:
            yield f"{row.state} {row.event}: this row is never tried"


def _check_ignored(definition: Definition) -> Iterator[str]:
    for state, event in sorted(definition.ignored):
        if is_timer(event) and (state, event) not in definition.cells:
            yield f"{state} ignores {event}, which does not run there"
        elif state in definition.final:
            yield f"{state} is final; it need not ignore {event}"
        elif (state, event) not in definition.cells and definition.rows_for(state, event) and state != ANY:
            yield f"{state} ignores {event} in vain: the row of {ANY} takes it"
        elif state != ANY and (ANY, event) in definition.ignored:
            yield f"{state} ignores {event}, which {ANY} ignores already"


# the class and its port


def check_class(kind: Kind, source: Source) -> list[str]:
    """The shape of a machine's module: one machine, its table first, nothing dead in it, no call past its port."""
    found = source.classes.get(kind.__name__)
    if found is None:
        return [f"class {kind.__name__} is not at the top of {source.module}"]
    return [
        *_check_shape(kind, found, source),
        *_check_methods(kind, found),
        *_check_port(found, source),
        *_check_watches(kind, found),
    ]


def _check_shape(kind: Kind, found: ast.ClassDef, source: Source) -> Iterator[str]:
    if source.module.rpartition(".")[2] != kind.name:
        yield f"it is in {source.module}, not in a module of its own name"
    body = [node for node in found.body if not isinstance(node, ast.Expr)]
    if not body or not isinstance(body[0], ast.Assign) or last_name(body[0].targets[0]) != "table":
        yield "its `table` is not the first thing in the class"


def _check_methods(kind: Kind, found: ast.ClassDef) -> Iterator[str]:
    named = {name for row in kind.definition().rows for name in (*row.actions, *(guard.name for guard in row.guards))}
    known = {method.name: method for method in methods(found)}
    for name in sorted(named & known.keys()):
        if len(known[name].args.args) != 2:
            yield f"{name} takes something else than (self, payload)"
    called = own_attributes(found)
    for name, method in known.items():
        takes_payload = len(method.args.args) == 2 and method.args.args[1].arg == "payload"
        if takes_payload and name not in named | called:
            yield f"{name} is named by no row"


def _check_port(found: ast.ClassDef, source: Source) -> Iterator[str]:
    for attribute, port in ports(found, source):
        known = {method.name for method in methods(port)} | {
            last_name(node.target) for node in port.body if isinstance(node, ast.AnnAssign)
        }
        asked = list(port_calls(found, attribute))
        for line, name in asked:
            if name not in known:
                yield f"line {line} asks for {name}, which {port.name} does not have"
        for name in sorted(known - {name for _, name in asked}):
            yield f"{port.name}.{name} is asked for by nobody"


def ports(found: ast.ClassDef, source: Source) -> Iterator[tuple[str, ast.ClassDef]]:
    """Attributes that hold a Protocol of the same module, with that Protocol."""
    for method in methods(found):
        if method.name != "__init__":
            continue
        types = {argument.arg: last_name(argument.annotation) for argument in method.args.args if argument.annotation}
        for node in ast.walk(method):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in types:
                port = source.classes.get(types[node.value.id])
                if port is not None and any(last_name(base) == "Protocol" for base in port.bases):
                    yield last_name(node.targets[0]), port


def _check_watches(kind: Kind, found: ast.ClassDef) -> Iterator[str]:
    """The end of what an action waits for must have a row in the state the action leaves the machine in.

    A row that stays where it is does not wait; it may ignore that all is well.
    """
    definition = kind.definition()
    for watch in watches(found):
        for event in dict.fromkeys((watch.success, watch.failure)):
            if event not in definition.events:
                yield f"line {watch.line} watches for {event}, which no row names"
                continue
            may_ignore = event == watch.success != watch.failure
            states = _states_after(definition, watch, stays=False if may_ignore else None)
            for state in sorted(states):
                if not definition.rows_for(state, event):
                    yield f"{watch.method} waits in {state} for {event}, which has no row there"


def _states_after(definition: Definition, watch: Watch, stays: bool | None = None) -> set[str]:
    """States that rows with this action lead to: all of them, or those that stay where they are, or those that move."""
    return {
        after
        for state in reachable(definition)
        for row, after in moves(definition, state)
        if watch.method in row.actions and after not in definition.final and stays in (None, row.next == STAY)
    }


def check_limits(kind: Kind, source: Source) -> list[str]:
    """A state that waits for the end of something has a timer, or the machine names it as `patient`."""
    definition, found = kind.definition(), source.classes.get(kind.__name__)
    watched = list(watches(found)) if found is not None else []
    waiting = {state for watch in watched for state in _states_after(definition, watch, stays=False)}
    endless = [state for state in definition.states if state in waiting and not definition.timers(state)]
    hint = "give it a timer, or name it as `patient` with the reason beside it"
    return [
        *(f"{state} waits without a limit: {hint}" for state in endless if state not in kind.patient),
        *(f"{state} is `patient` in vain" for state in kind.patient if state not in endless),
    ]


# who sends the events


def check_events(kinds: Iterable[Kind], sources: dict[str, Source]) -> list[Finding]:
    """Each event of a table is sent to its machine somewhere; each event that is sent is in somebody's table."""
    kinds = list(kinds)
    found = [sent for source in sources.values() if not _is_kernel(source.module) for sent in source.sends()]
    findings = [
        Finding(f"{unread.module}:{unread.line}", f"which event this sends cannot be read: {unread.text}")
        for unread in found
        if isinstance(unread, Unreadable)
    ]
    sent = [one for one in found if isinstance(one, Sent)]
    near = {kind: holders(kind, sources) for kind in kinds}
    for kind in kinds:
        received = {one.event for one in sent if _is_for(kind, one, near[kind])} | {kind.failure}
        for event in kind.definition().events:
            if event not in received and not is_timer(event):
                findings.append(Finding(kind.name, f"nobody sends {event}"))
    for one in sent:
        if not any(one.event in kind.definition().events and _is_for(kind, one, near[kind]) for kind in kinds):
            findings.append(Finding(f"{one.module}:{one.line}", f"no machine within reach knows {one.event}"))
    return findings


def _is_kernel(module: str) -> bool:
    return f"{module}.".startswith(f"{KERNEL}.")


def _is_for(kind: Kind, sent: Sent, near: set[str]) -> bool:
    """A machine's own events are its own; another module's are for the machines that it can have a hold of."""
    if sent.module == kind.__module__:
        return True
    return not sent.own and sent.module in near


def holders(kind: Kind, sources: dict[str, Source]) -> set[str]:
    """Modules that import the machine or find it by its name, and modules that import one of these."""
    first = {
        name for name, source in sources.items() if kind.__module__ in source.imports or kind.name in source.searches
    }
    return first | {name for name, source in sources.items() if first & source.imports}


# all of it


def check(root: Path) -> list[Finding]:
    """Everything that is wrong with the machines of the package whose folder is ``root``."""
    sources = read(root, "bitdust")
    findings: list[Finding] = []
    kinds: list[Kind] = []
    for module in machine_modules(sources):
        found = load(module)
        if len(found) != 1:
            findings.append(Finding(module, f"one machine a module, and this has {len(found)}"))
        for kind in found:
            kinds.append(kind)
            what = [*check_table(kind), *check_class(kind, sources[module]), *check_limits(kind, sources[module])]
            findings.extend(Finding(kind.name, text) for text in what)
    for module, source in sources.items():
        if module.startswith(AUTOMATS):
            lines = dict.fromkeys(source.asynchronous())
            findings.extend(Finding(f"{module}:{line}", f"asynchronous code: {name}") for line, name in lines)
    return [*findings, *check_events(kinds, sources)]


def main() -> int:
    """Write the findings; 1 when there are some."""
    gc.disable()  # nothing of what is read goes before the end, and to look at it again and again doubles the time
    findings = check(package_root())
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    if not findings:
        sys.stdout.write(f"{len(all_machines(package_root()))} machines, nothing found\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
