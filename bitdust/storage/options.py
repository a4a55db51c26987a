"""What a person wants of one upload or download; kept with its job, so that the next start goes on in the same way."""

from typing import Protocol, TypeVar

from attrs import asdict, fields, frozen


@frozen
class Wishes:
    """Whether extended attributes with access control lists, and owners, are stored or brought back.

    ``special_bits`` are those of a mode by which a program runs as its owner or group, and the sticky bit.
    """

    attributes: bool = True
    owners: bool = True
    special_bits: bool = False


class Switches(Protocol):
    """The settings."""

    def get(self, key: str, /) -> object: ...


@frozen
class Options:
    """What both kinds of jobs may be told; None is what the settings say."""

    attributes: bool | None = None
    owners: bool | None = None

    def wishes(self, settings: Switches, attributes: str, owners: str) -> Wishes:
        """With two settings where nothing else is said."""
        return Wishes(
            bool(settings.get(attributes)) if self.attributes is None else self.attributes,
            bool(settings.get(owners)) if self.owners is None else self.owners,
        )


T = TypeVar("T", bound=Options)


def to_text(options: Options) -> str:
    """What differs from nothing said: names, with a minus for what is not wanted."""
    usual = {field.name: field.default for field in fields(type(options))}
    found = ((name, value) for name, value in asdict(options).items() if value != usual[name])
    return " ".join(name if value else f"-{name}" for name, value in found)


def of_text(kind: type[T], text: str) -> T:
    """The other way; a name that is not known is passed over."""
    known = {field.name for field in fields(kind)}
    words = {word.removeprefix("-"): not word.startswith("-") for word in text.split()}
    return kind(**{name: value for name, value in words.items() if name in known})
