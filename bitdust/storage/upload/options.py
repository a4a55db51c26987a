"""What a person allows or wants of one upload."""

from attrs import frozen

from bitdust.storage.options import Options


@frozen
class UploadOptions(Options):
    """``allow_empty``: the source may hold nothing any more. ``allow_drop``: most of it may be gone."""

    allow_empty: bool = False
    allow_drop: bool = False


USUAL = UploadOptions()
"""Nothing is allowed that could be a mistake."""
