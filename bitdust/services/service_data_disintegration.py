"""Cutting data into pieces and putting it together."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.storage.packs.erasure import Coders
from bitdust.wire.records import Scheme


class DataDisintegrationService(Service):
    """Proves that the erasure code of this machine gives back what it was given, parity pieces alone included."""

    name = "data_disintegration"
    needs = ("keys_registry",)
    needs_identity = True
    duty = "cuts sealed packs into pieces, any half of which give everything back"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._coders = Coders()  # making one takes longer than what it is asked here twice a minute

    def health(self) -> None:
        scheme = Scheme.for_family(self._rooms.around.settings.get("services/customer/suppliers-number"))
        coder = self._coders.of(scheme)
        data = self._rooms.around.world.entropy(1000)
        pieces = coder.encode(data, scheme.segment)
        last = {index: pieces[index] for index in range(scheme.n - scheme.k, scheme.n)}
        if coder.decode(last, len(data), scheme.segment) != data:
            raise Unhealthy(f"the erasure code of this machine does not give back what it was given ({scheme.name})")
