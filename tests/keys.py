"""Keys for tests. RSA keys of nodes in this process are taken from a table; keys and signatures are checked once.

To search for a key, or to check one that is read, takes as long as a tenth of all the rest that a node of a test does.
A test gets keys that differ, as long as it makes less than a hundred. What a module keeps from test to test it makes by
`search`; nodes with processes of their own make theirs as everybody does.
"""

from functools import lru_cache
from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt import device, keyfile
from bitdust.crypt.master import MIN_BITS, MasterKey

search = MasterKey.generate
"""The real one."""
_read = MasterKey.from_pem
_numbers = count()
_taken: set[str] = set()
"""Those of the table that were given out, as they are written down."""


def take(bits: int = MIN_BITS) -> MasterKey:
    """Stands for `MasterKey.generate`."""
    from tests.grid.chaos import keys

    if bits != keys.BITS:
        return search(bits)
    key = keys.key(next(_numbers))
    _taken.add(key.to_pem())
    return key


@lru_cache(1000)
def read(pem: str, passphrase: bytes | None = None, own: bool = False) -> MasterKey:
    """Stands for `MasterKey.from_pem`; the primes of a key of the table were examined when that was made."""
    return _read(pem, passphrase, own or pem in _taken)


def install() -> None:
    """From now on. Which signatures fit depends on nothing else, and a whole network of nodes asks for the same."""
    device.verify = lru_cache(10_000)(device.verify)
    MasterKey.generate = staticmethod(take)  # type: ignore[method-assign]
    MasterKey.from_pem = staticmethod(read)  # type: ignore[method-assign]


def cheap_passphrases(case: SynchronousTestCase) -> dict[int, dict[str, int]]:
    """Until the end of the test a passphrase takes a moment instead of a third of a second; gives what it costs."""
    costs = keyfile._SCRYPT
    case.patch(keyfile, "_SCRYPT", {version: cost | {"n": 2**version} for version, cost in costs.items()})
    return costs
