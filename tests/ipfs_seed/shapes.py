"""What an answer has to look like: as it is printed, or exactly so."""

from collections.abc import Callable
from typing import Any

from attrs import frozen


@frozen
class Like:
    """What is printed has the same names and kinds: a name that is not printed is allowed, one that is missing is not,
    and every item of a list is as one that is printed."""

    printed: Any

    def wrong(self, value: Any) -> str:
        """Why a value is not like it; empty where it is."""
        return _unlike(self.printed, value, "")


@frozen
class Exactly:
    """What is printed follows from content alone, so it has to be the same; other names beside it are allowed."""

    printed: Any

    def wrong(self, value: Any) -> str:
        """Why a value is another one."""
        if isinstance(self.printed, dict) and isinstance(value, dict):
            value = {name: each for name, each in value.items() if name in self.printed}
        return "" if value == self.printed else f"{value!r} instead of {self.printed!r}"


@frozen
class Where:
    """A value of which something can be said."""

    what: str
    holds: Callable[[Any], Any]

    def wrong(self, value: Any) -> str:
        """Why it does not hold."""
        return "" if self.holds(value) else f"{value!r} is not {self.what}"


@frozen
class Fails:
    """An error of the daemon is printed, with these words in it."""

    words: str

    def wrong(self, value: Any) -> str:
        """A value is wrong; errors are looked at by `told`."""
        return f"{value!r} instead of the error {self.words!r}"

    def told(self, error: Exception) -> str:
        """Why it is another error."""
        return "" if self.words in str(error) else f"{error} instead of the error {self.words!r}"


@frozen
class Alone(Like):
    """As it is printed where there are other nodes; a node that knows none may answer with an error in words."""

    def told(self, error: Exception) -> str:
        """Why an error is none in words."""
        return "" if str(error).strip() else f"{error!r} says nothing"


@frozen
class WithIdentity(Like):
    """As it is printed where a node is somebody; one that is nobody yet says so. Nodes with identities say more of it
    in the tests of their own."""

    def told(self, error: Exception) -> str:
        """Why it is another error."""
        return "" if "there is no identity yet" in str(error) else f"{type(error).__name__}: {error}"


Wanted = Like | Exactly | Where | Fails


NOTHING = Where("nothing", lambda value: value is None or not list(value))


def _unlike(printed: Any, value: Any, where: str) -> str:
    if isinstance(printed, dict):
        if not isinstance(value, dict):
            return f"{where or 'it'} is {_kind(value)} and not names with values"
        return next(filter(None, (_name(printed, value, name, where) for name in printed)), "")
    if isinstance(printed, list):
        if not isinstance(value, list):
            return f"{where or 'it'} is {_kind(value)} and not a list"
        return next(filter(None, (_item(printed, item, f"{where}[]") for item in value)), "") if printed else ""
    if printed is None or isinstance(value, type(printed)):
        return ""
    return f"{where or 'it'} is {_kind(value)} and not {_kind(printed)}"


def _name(printed: dict[str, Any], value: dict[str, Any], name: str, where: str) -> str:
    if name.startswith("Qm"):
        return next(filter(None, (_unlike(printed[name], each, f"{where}.Qm") for each in value.values())), "")
    if name not in value:
        return f"{where}.{name} is missing"
    return _unlike(printed[name], value[name], f"{where}.{name}")


def _item(printed: list[Any], item: Any, where: str) -> str:
    unlike = [_unlike(one, item, where) for one in printed]
    return "" if "" in unlike else unlike[0]


def _kind(value: Any) -> str:
    return type(value).__name__
