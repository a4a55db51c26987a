"""The routing table: up to k proven contacts for each distance, and a few that wait for a place."""

from bitdust.dht.contact import Contact, nearest, network, reach

K = 20
SPARES = 8
SAME_HOST = 4
SAME_NETWORK = 10


class RoutingTable:
    """Contacts sorted into buckets by the length of their distance in bits. Old contacts that answer keep their place.

    One public address gets at most four places in a bucket, and one public network half of them, so that neither fills
    it.
    """

    def __init__(self, own: int) -> None:
        self._own = own
        self._buckets: dict[int, list[Contact]] = {}
        self._spares: dict[int, list[Contact]] = {}
        self._contacts: dict[int, Contact] = {}

    def __len__(self) -> int:
        return len(self._contacts)

    def __contains__(self, number: int) -> bool:
        return number in self._contacts

    def get(self, number: int) -> Contact | None:
        """The contact with this id."""
        return self._contacts.get(number)

    def contacts(self) -> list[Contact]:
        """All of them."""
        return list(self._contacts.values())

    def buckets(self) -> dict[int, int]:
        """How many contacts there are by distance in bits."""
        return {index: len(bucket) for index, bucket in sorted(self._buckets.items()) if bucket}

    def at_distance_of(self, contact: Contact) -> int:
        """How many contacts are as far as that one."""
        return len(self._buckets.get((contact.number ^ self._own).bit_length(), ()))

    def room(self, contact: Contact) -> bool:
        """Whether that contact could enter now."""
        if contact.number == self._own or contact.number in self._contacts:
            return False
        bucket = self._buckets.get((contact.number ^ self._own).bit_length(), [])
        if len(bucket) >= K:
            return False
        if reach(contact.host) < 3:
            return True
        neighbours = sum(network(other.host) == network(contact.host) for other in bucket)
        return neighbours < SAME_NETWORK and sum(other.host == contact.host for other in bucket) < SAME_HOST

    def add(self, contact: Contact) -> bool:
        """Take a proven contact in; False when its bucket is full: then it waits among the spares."""
        if contact.number in self._contacts or not self.room(contact):
            if contact.number != self._own and contact.number not in self._contacts:
                self.keep_spare(contact)
            return False
        self._buckets.setdefault((contact.number ^ self._own).bit_length(), []).append(contact)
        self._contacts[contact.number] = contact
        return True

    def keep_spare(self, contact: Contact) -> None:
        """Remember one that found no place; the newest eight of a bucket are kept."""
        spares = self._spares.setdefault((contact.number ^ self._own).bit_length(), [])
        spares[:] = [*(spare for spare in spares if spare.number != contact.number), contact][-SPARES:]

    def remove(self, contact: Contact) -> Contact | None:
        """Take that very contact out; gives a spare that could have its place."""
        if self._contacts.get(contact.number) is not contact:
            return None
        del self._contacts[contact.number]
        index = (contact.number ^ self._own).bit_length()
        self._buckets[index].remove(contact)
        spares = self._spares.get(index)
        return spares.pop() if spares else None

    def nearest(self, target: int, most: int = K) -> list[Contact]:
        """The contacts nearest to a number."""
        return nearest(self._contacts.values(), target, most)
