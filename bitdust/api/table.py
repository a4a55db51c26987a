"""The method table: everything that a person or program may ask of a node, declared once.

REST, WebSocket, the command line and the documents are all derived from it. A module a noun declares its methods with
`method`; `bitdust.api.methods.TABLE` puts them together. A row may belong to an older ``generation`` of the API, such
as 2016: it has a namespace of its own, where its name may mean what it meant then.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from attrs import frozen

from bitdust.api.arguments import BadArgument, Kind, convert
from bitdust.wire.errors import BitDustError

REQUIRED: Any = inspect.Parameter.empty
VERBS = ("GET", "POST", "PUT", "DELETE")
NO_ARGUMENTS: Mapping[str, Any] = {}
_PLACE = re.compile(r"\{(\w+)(:path)?\}")


@frozen
class Param:
    """One parameter of a method. ``obsolete`` ones are taken from older clients and mean nothing any more. ``example``
    is a value for the documents: every required one has it; an optional one that has it is shown in examples too.
    ``only_here`` is taken from programs on the node's machine alone, as a whole method of that kind is."""

    name: str
    kind: Kind = Kind.TEXT
    default: Any = REQUIRED
    aliases: tuple[str, ...] = ()
    help: str = ""
    secret: bool = False
    obsolete: bool = False
    low: float | None = None
    high: float | None = None
    example: Any = None
    only_here: bool = False

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def read(self, value: Any) -> Any:
        """The typed value; raises `BadArgument` that says what was expected."""
        if value is None and not self.required:
            return self.default
        try:
            typed = convert(self.kind, value)
        except (ValueError, TypeError):
            raise BadArgument(f"argument {self.name!r} must be {_expected(self.kind, value)}") from None
        if (self.low is not None and typed < self.low) or (self.high is not None and typed > self.high):
            raise BadArgument(f"argument {self.name!r} must be {self._range()}")
        return typed

    def _range(self) -> str:
        if self.high is None:
            return f"{self.low} or more"
        return f"at most {self.high}" if self.low is None else f"from {self.low} to {self.high}"


_ARTICLES = {Kind.INTEGER: "an", Kind.NUMBER: "a"}


def _expected(kind: Kind, value: Any) -> str:
    try:
        convert(kind, value)
    except (ValueError, TypeError) as error:
        own = str(error)
        return own if not own.startswith(("invalid literal", "could not")) else f"{_ARTICLES[kind]} {kind.value}"
    return kind.value


@frozen
class Route:
    """One verb and path. ``/a/b/v1`` answers at ``/v1/a/b`` and at every alias as well; ``{name}`` takes one part of
    the path, ``{name:path}`` takes several."""

    verb: str
    path: str
    aliases: tuple[str, ...] = ()

    def paths(self) -> tuple[str, ...]:
        """Every path, without slashes at the end."""
        versioned = "/v1" + self.path.removesuffix("/v1") if self.path.endswith("/v1") else self.path
        return tuple(dict.fromkeys(path.rstrip("/") for path in (self.path, versioned, *self.aliases)))


class Becomes(NamedTuple):
    """What a call becomes: an event of a kind of machine."""

    machine: str
    event: str


@frozen
class Method:
    """One row of the table. ``service`` names the service that must be ON; ``other_names`` are accepted as well;
    ``body`` names the parameter that a JSON body without any known name is taken for; ``example`` holds arguments of
    the documents' example that differ from those of the parameters; ``generation`` is empty for the current API;
    ``becomes`` names the machines and their events that a call becomes, in the order in which they are sent;
    ``only_here`` ones are not for devices that were let in, ``local_files`` ones, which read or write files of the
    node's machine, only where the person wants it; ``in_shares`` says that it needs no service but
    ``shared_data`` where its path leads into a share of somebody else, or where it names none."""

    name: str
    params: tuple[Param, ...]
    routes: tuple[Route, ...]
    service: str | None
    doc: str
    returns: str
    errors: tuple[str, ...]
    call: Callable[..., Any]
    other_names: tuple[str, ...] = ()
    body: str | None = None
    example: Mapping[str, Any] = NO_ARGUMENTS
    generation: str = ""
    becomes: tuple["Becomes", ...] = ()
    only_here: bool = False
    local_files: bool = False
    in_shares: bool = False

    @property
    def noun(self) -> str:
        """What the method is about: the name of the module in this package that declares it."""
        return self.call.__module__.removeprefix(f"{__package__}.").replace(".", "-")

    def example_arguments(self) -> dict[str, Any]:
        """The arguments of the example that documents show; a test calls it."""
        own = {param.name: param.example for param in self.params if param.example is not None}
        return own | dict(self.example)

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Typed arguments for `call`; raises `BadArgument` for unknown, missing, double and wrongly typed ones."""
        if not given and not self.params:
            return {}
        left = dict(given)
        typed: dict[str, Any] = {}
        for param in self.params:
            values = [param.read(left.pop(name)) for name in (param.name, *param.aliases) if name in left]
            if any(value != values[0] for value in values[1:]):
                raise BadArgument(f"argument {param.name!r} is given under two names with different values")
            if not values and param.required:
                raise BadArgument(f"argument {param.name!r} is missing; {self.name} takes {self.signature()}")
            value = values[0] if values else param.default
            if not param.obsolete:
                typed[param.name] = value
        if left:
            unknown = ", ".join(sorted(repr(name[:80]) for name in left))
            raise BadArgument(f"unknown argument {unknown}; {self.name} takes {self.signature()}")
        return typed

    def signature(self) -> str:
        """``(key, include_info=False)``."""
        shown = [p.name if p.required else f"{p.name}={p.default!r}" for p in self.params if not p.obsolete]
        return f"({', '.join(shown)})"

    def names(self) -> frozenset[str]:
        """Every accepted argument name."""
        return frozenset(name for param in self.params for name in (param.name, *param.aliases))


def method(
    *routes: Route,
    params: Iterable[Param] = (),
    service: str | None = None,
    returns: str = "nothing",
    errors: Iterable[str] = (),
    other_names: Iterable[str] = (),
    body: str | None = None,
    example: Mapping[str, Any] = NO_ARGUMENTS,
    generation: str = "",
    becomes: Iterable[tuple[str, str]] = (),
    only_here: bool = False,
    local_files: bool = False,
    in_shares: bool = False,
) -> Callable[[Callable[..., Any]], Method]:
    """Make a row of the table out of a function ``(context, **arguments)``; its docstring becomes the document.

    A row of an older generation also answers at ``POST /<generation>/<name>``."""

    def declare(call: Callable[..., Any]) -> Method:
        declared = tuple(params)
        names = [param.name for param in declared if not param.obsolete]
        if list(inspect.signature(call).parameters)[1:] != names:
            raise TypeError(f"{call.__name__}: parameters {names} differ from the function's")
        name, doc = call.__name__, inspect.cleandoc(call.__doc__ or "")
        own = (Route("POST", f"/{generation}/{name}"),) if generation else ()
        return Method(
            name, declared, (*own, *routes), service, doc, returns, tuple(dict.fromkeys(errors)), call,
            tuple(other_names), body, example, generation, tuple(Becomes(*pair) for pair in becomes),
            only_here, local_files, in_shares,
        )  # fmt: skip

    return declare


@frozen
class Template:
    """A path with places in it."""

    pattern: re.Pattern[str]
    verb: str
    row: Method


@frozen
class Match:
    """A method that was found by its path, and what the path says."""

    row: Method
    arguments: Mapping[str, str]


class NoRoute(BitDustError):
    """No method answers at this path (``not-found``) or not to this verb (``bad-verb``, with ``allowed``)."""

    def __init__(self, path: str, allowed: tuple[str, ...] = ()) -> None:
        if allowed:
            super().__init__("bad-verb", f"{path[:200]} takes {', '.join(allowed)}", allowed=list(allowed))
        else:
            super().__init__("not-found", f"method {path[:200]} not found", allowed=[])


class Table:
    """All methods, by name and by route; each also takes ``POST /api/<name>``.

    A name of an older generation that the current one does not use is reached plainly as well, and a current method
    whose name an older generation does not use is found in the older namespace too: what was asked and answered in the
    same way then stands here once. Raises `ValueError` when two methods claim the same name or route."""

    def __init__(self, rows: Iterable[Method]) -> None:
        self._rows: list[Method] = []
        self._names: dict[str, dict[str, Method]] = {"": {}}
        self._exact: dict[str, dict[str, Match]] = {}
        self._templates: list[Template] = []
        for row in sorted(rows, key=lambda row: row.generation != ""):
            self._add(row)
        for generation in self.generations:
            self._share_current(generation)

    @property
    def generations(self) -> list[str]:
        """Older generations."""
        return [generation for generation in self._names if generation]

    def _add(self, row: Method) -> None:
        own = self._names.setdefault(row.generation, {})
        for name in (row.name, *row.other_names):
            if name in own:
                raise ValueError(f"two methods are named {name}")
            own[name] = row
            if not row.generation or name not in self._names[""]:
                self._add_path(row, "POST", f"/api/{name}")
        self._rows.append(row)
        for route in row.routes:
            if route.verb not in VERBS:
                raise ValueError(f"{row.name}: unknown verb {route.verb}")
            for path in route.paths():
                self._add_path(row, route.verb, path)

    def _share_current(self, generation: str) -> None:
        for name, row in self._names[""].items():
            if name not in self._names[generation]:
                self._add_path(row, "POST", f"/{generation}/{name}")

    def _add_path(self, row: Method, verb: str, path: str) -> None:
        if "{" in path:
            parts = _PLACE.sub(lambda place: f"(?P<{place[1]}>{'.+' if place[2] else '[^/]+'})", path)
            self._templates.append(Template(re.compile(parts), verb, row))
            return
        verbs = self._exact.setdefault(path, {})
        if verb in verbs and verbs[verb].row is not row:
            raise ValueError(f"{verb} {path} is claimed by {verbs[verb].row.name} and {row.name}")
        verbs[verb] = Match(row, NO_ARGUMENTS)

    def __iter__(self) -> Iterator[Method]:
        """Every row: the current ones, then those of older generations."""
        return iter(self._rows)

    def named(self, name: str, generation: str = "") -> Method | None:
        """The method that a generation has under a name, or None. Raises `BadArgument` for an unknown generation."""
        if generation not in self._names:
            known = ", ".join(self.generations) or "none"
            raise BadArgument(
                f"there is no generation {generation[:20]!r} of the API; older ones that are kept: {known}"
            )
        row = self._names[generation].get(name)
        if row is None:
            row = next((own[name] for own in self._names.values() if name in own), None)
        return row

    def find(self, verb: str, path: str) -> Match:
        """The method at a path; raises `NoRoute`."""
        verbs = self._exact.get(path) or self._exact.get(path.rstrip("/"))
        if verbs is None:
            return self._find_template(verb, path)
        if verb not in verbs:
            raise NoRoute(path, tuple(verbs))
        return verbs[verb]

    def _find_template(self, verb: str, path: str) -> Match:
        allowed: dict[str, None] = {}
        for template in self._templates:
            found = template.pattern.fullmatch(path.rstrip("/"))
            if found is None:
                continue
            if template.verb == verb:
                return Match(template.row, {name: _unquoted(value) for name, value in found.groupdict().items()})
            allowed[template.verb] = None
        raise NoRoute(path, tuple(allowed))


def _unquoted(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise BadArgument("the path of the request is not valid UTF-8") from None
