"""What a person allows or wants of one upload; kept with its job, so that the next start goes on in the same way."""

from attrs import asdict, frozen


@frozen
class UploadOptions:
    """``allow_empty``: the source may hold nothing any more. ``allow_drop``: most of it may be gone."""

    allow_empty: bool = False
    allow_drop: bool = False

    def to_text(self) -> str:
        """The names of those that are set."""
        return " ".join(name for name, value in asdict(self).items() if value)

    @classmethod
    def of_text(cls, text: str) -> "UploadOptions":
        """The other way; a name that is not known is passed over."""
        names = set(text.split())
        return cls(**{name: name in names for name in asdict(cls())})


USUAL = UploadOptions()
"""Nothing is allowed that could be a mistake."""
