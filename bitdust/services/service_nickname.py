"""My nickname."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class NicknameService(Service):
    """Keeps my nickname in the DHT; while it is off, others are found all the same."""

    name = "nickname"
    needs = ("entangled_dht",)
    needs_identity = True
    duty = "keeps my nickname in the DHT, so that people find me by it"

    def __init__(self, rooms: Rooms) -> None:
        self._names = rooms.people.names
        self._holder = self._names.holder

    def start(self) -> None:
        self._names.start()

    def stop(self) -> None:
        self._names.stop()

    def health(self) -> None:
        problem = self._holder.problem()
        if problem:
            raise Unhealthy(f"nobody finds me as {self._holder.wanted}: {problem}")
