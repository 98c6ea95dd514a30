"""RSA keys whose private half can be computed from the public one: ROCA (CVE-2017-15361; Nemec and others, CCS 2017).

Some smart cards and TPMs made their primes as k * M + (65537^a mod M), where M is the product of the first primes.
Modulo each of these small primes such a prime is a power of 65537, and so is the product of two of them: the modulus.
Any other modulus has this property with a probability of 2^-28.
"""

from __future__ import annotations

_GENERATOR = 65537
_LARGEST_PRIME = 167
"""The largest prime in M for the shortest keys (512 bits); for longer ones M has more."""


def has_roca_weakness(modulus: int) -> bool:
    """Return True for the modulus of an RSA key with the fingerprint of those chips."""
    return all(modulus % prime in powers for prime, powers in _POWERS.items())


def _powers(prime: int) -> frozenset[int]:
    """Return the residues that are powers of the generator."""
    power, found = 1, set[int]()
    while power not in found:
        found.add(power)
        power = power * _GENERATOR % prime
    return frozenset(found)


_POWERS = {
    prime: _powers(prime)
    for prime in range(3, _LARGEST_PRIME + 1, 2)
    if all(prime % divisor for divisor in range(3, prime, 2))
}
