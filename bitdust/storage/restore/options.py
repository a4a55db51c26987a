"""What a person wants of one download."""

from attrs import evolve, frozen

from bitdust.storage.options import Options, Switches, Wishes

KEEPING = ("services/restores/attributes-enabled", "services/restores/owners-enabled")
SPECIAL_BITS = "services/restores/special-bits-enabled"


@frozen
class RestoreOptions(Options):
    """Attributes, owners and the special bits of modes: brought back, or left."""

    special_bits: bool | None = None

    def wanted(self, settings: Switches) -> Wishes:
        """With the settings where nothing else is said."""
        special = bool(settings.get(SPECIAL_BITS)) if self.special_bits is None else self.special_bits
        return evolve(self.wishes(settings, *KEEPING), special_bits=special)


AS_SET = RestoreOptions()
"""As the settings say."""
