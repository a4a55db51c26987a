"""What a person allows or wants of one upload."""

from attrs import frozen

from bitdust.storage.options import Options


@frozen
class UploadOptions(Options):
    """``allow_empty``: the source may hold nothing any more. ``allow_drop``: most of it may be gone. ``apart``: what is
    stored already is stored again, so that packs which only some of it needs may go."""

    allow_empty: bool = False
    allow_drop: bool = False
    apart: bool = False


USUAL = UploadOptions()
"""Nothing is allowed that could be a mistake."""
