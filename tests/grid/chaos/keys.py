"""RSA keys that follow from a seed, on every machine the same: a library makes none, and a search for primes is slow.

A prime is a random number of a known seed, plus its distance to the next prime that fits. The distances are stored in
``keys.txt``, a line a key; ``python -m tests.grid.chaos.keys COUNT`` prints so many of them.
"""

import random
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from bitdust.crypt.master import MasterKey

BITS = 2048
EXPONENT = 65537
DISTANCES = Path(__file__).with_name("keys.txt")
ROUNDS = 20


def beginning(number: int, which: str) -> int:
    """Where the search for a prime of a key begins: odd, with both highest bits set."""
    half = BITS // 2
    return random.Random(f"{which} of key {number}").getrandbits(half) | 3 << half - 2 | 1


@cache
def distances() -> tuple[tuple[int, int], ...]:
    """Of both primes of each key."""
    lines = DISTANCES.read_text(encoding="ascii").splitlines()
    return tuple((int(p), int(q)) for p, q in (line.split() for line in lines))


@cache
def key(number: int) -> MasterKey:
    """One of them; those beyond the last begin again."""
    number %= len(distances())
    p, q = (beginning(number, name) + far for name, far in zip("pq", distances()[number], strict=True))
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(EXPONENT, p * q)
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return MasterKey(numbers.private_key(unsafe_skip_rsa_key_validation=True))


def from_seed(seed: int) -> Callable[..., MasterKey]:
    """Stands for `MasterKey.generate`: the keys of a seed, each once, in an order of its own."""
    numbers = list(range(len(distances())))
    random.Random(f"keys of {seed}").shuffle(numbers)
    left = iter(numbers)

    def generate(bits: int = BITS) -> MasterKey:
        return key(next(left))

    return generate


# how the table was made


def is_prime(number: int) -> bool:
    """Miller and Rabin, with bases that follow from the number."""
    if any(number % small == 0 for small in range(3, 2000, 2)):
        return False
    twos = (number - 1 & 1 - number).bit_length() - 1
    bases = random.Random(number)
    return all(_passes(number, bases.randrange(2, number - 1), twos) for _ in range(ROUNDS))


def _passes(number: int, base: int, twos: int) -> bool:
    power = pow(base, number - 1 >> twos, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False


def distance(start: int) -> int:
    """From a number to the next prime that an RSA key can have."""
    far = 0
    while not is_prime(start + far) or (start + far - 1) % EXPONENT == 0:
        far += 2
    return far


if __name__ == "__main__":
    for index in range(int(sys.argv[1])):
        print(*(distance(beginning(index, name)) for name in "pq"))
