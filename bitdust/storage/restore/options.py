"""What a person wants of one download."""

from attrs import frozen

from bitdust.storage.options import Options


@frozen
class RestoreOptions(Options):
    """Attributes and owners: brought back, or left."""


AS_SET = RestoreOptions()
"""As the settings say."""
