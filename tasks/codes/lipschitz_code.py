"""The Lipschitz code: a generator whose range holds many points that are far from each other."""

from dataclasses import dataclass
from functools import cached_property
from math import comb, exp, sqrt

import numpy as np
from numpy.typing import NDArray

from ..ensembles import rademacher
from ..numerics.network import Matrix, Vector

Symbols = NDArray[np.intp]

MAX_CANDIDATES = 1000  # for one codeword
LARGEST_CHANCE = 0.9  # that a candidate is too near, or too far from, an earlier codeword


@dataclass(frozen=True)
class LipschitzCode:
    """A piecewise linear G = g ⊗ … ⊗ g: R^k → R^n, and a finite set Z of points of its range.

    g: [0, r/√k] → R^{n/k} moves at constant speed along the lines from p_1 to p_2, …, to p_P, and
    stays at p_1 below 0 and at p_P above r/√k. The p_s are in {±R/√n}^{n/k}, and any two differ in
    a third to two thirds of their entries. Z holds, for each word c of a Reed–Solomon code over
    GF(q), q the largest prime ≤ P, the point (p_{c_1}, …, p_{c_k}) of norm R.

    Where this follows the meaning of the source, and not its print:
        Theorem 2.1 asks for R > 2Lr, but min(Lr/R, …) codewords are none then: R < 2Lr is meant.
            Two codewords already make L r ≥ (2/√3) R.
        Lemma 3.3 has distances in [√(1/3), √(2/3)]; entries that differ do so by 2/√n, not 1/√n,
            so they are in [2√(1/3), 2√(2/3)], and those in Z at least 2R/√6 for messages of k/2.
        g(x) = g_1(R/√k) for x ≥ r/√k would jump; g_1(r/√k) is meant.
        I = {r/(√k P), …, r/√k} omits 0, where g_1 begins; ours are 0, …, r/√k, P − 1 steps.

    Args:
        signs: √n p_s/R, entries ±1, shape (P, n/k), from `draw_signs`.
        k: number of blocks, the latent dimension.
        message: symbols of a message, 1 … k; words then differ in k − message + 1 symbols.
        radius: R, in signal units.
        domain: r, in units of the latent code.

    Raises:
        ValueError: not 1 ≤ message ≤ k ≤ q.

    Source: Kamath, Karmalkar & Price 2020, Theorem 2.1 and its proof, with p = 2.
    """

    signs: Matrix
    k: int
    message: int
    radius: float = 1.0
    domain: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.message <= self.k <= self.alphabet:
            raise ValueError(
                f"a code of {self.message} message symbols and {self.k} blocks over "
                f"{self.alphabet} symbols; need 1 ≤ message ≤ k ≤ symbols."
            )

    @property
    def n(self) -> int:
        """Signal dimension."""
        return self.k * int(self.signs.shape[1])

    @cached_property
    def alphabet(self) -> int:
        """Number q of symbols of the outer code, which are the first q codewords."""
        return largest_prime(len(self.signs))

    @property
    def size(self) -> int:
        """Number of points of Z, q^message."""
        size: int = self.alphabet**self.message
        return size

    @cached_property
    def codewords(self) -> Matrix:
        """p_1 … p_P, shape (P, n/k), in signal units."""
        return self.signs * (self.radius / sqrt(self.n))

    @property
    def lipschitz(self) -> float:
        """Smallest Lipschitz constant L of G, from the longest line of g, in 1/latent units.

        L = max_s ‖p_{s+1} − p_s‖ (P − 1) √k/r.
        """
        longest = np.linalg.norm(np.diff(self.codewords, axis=0), axis=1).max()
        return float(longest * (len(self.signs) - 1) * sqrt(self.k) / self.domain)

    @property
    def lipschitz_bound(self) -> float:
        """2R √(2/3) (P − 1)/r, an upper bound of L for any choice of codewords."""
        return 2 * self.radius * sqrt(2 / 3) * (len(self.signs) - 1) / self.domain

    @property
    def distance_bound(self) -> float:
        """2R √((k − message + 1)/(3k)), the least distance of two points of Z, in signal units."""
        return 2 * self.radius * sqrt((self.k - self.message + 1) / (3 * self.k))

    def __call__(self, code: Vector) -> Vector:
        """Compute G(x), shape (n,), for x of shape (k,)."""
        pace = (len(self.signs) - 1) * sqrt(self.k) / self.domain
        return curve_points(self.codewords, pace * code).ravel()

    def latent(self, word: Symbols) -> Vector:
        """Give the x in [0, r/√k]^k, shape (k,), whose G(x) is the point of a word."""
        return np.asarray(word * (self.domain / sqrt(self.k) / (len(self.signs) - 1)), dtype=float)

    def point(self, word: Symbols) -> Vector:
        """Give the point of Z, shape (n,), of a word of shape (k,)."""
        return self.codewords[word].ravel()

    def words(self) -> Symbols:
        """List all words of the outer code, shape (q^message, k), in the order of messages."""
        shape = (self.alphabet,) * self.message
        return self.encode(np.indices(shape).reshape(self.message, -1).T)

    def encode(self, messages: Symbols) -> Symbols:
        """Give the words, shape (…, k), of messages of shape (…, message).

        Symbol i, counted from 0, is the polynomial Σ_j a_j X^j of the message at X = i, in GF(q).
        """
        words = np.zeros((*messages.shape[:-1], self.k), dtype=np.intp)
        for coefficients in np.moveaxis(messages, -1, 0)[::-1]:
            words = (words * np.arange(self.k) + coefficients[..., None]) % self.alphabet
        return words


def curve_points(corners: Matrix, places: Vector) -> Matrix:
    """Compute points of the curve along the lines between corners.

    Args:
        corners: shape (P, q).
        places: positions on the curve, shape (s,): 0 is the first corner, 1 the second; positions
            outside are moved to the nearer end.

    Returns:
        Shape (s, q).
    """
    places = np.clip(places, 0, len(corners) - 1)
    lines = np.minimum(places.astype(np.intp), len(corners) - 2)
    share = (places - lines)[:, None]
    return np.asarray((1 - share) * corners[lines] + share * corners[lines + 1])


def draw_signs(random: np.random.Generator, count: int, length: int) -> Matrix:
    """Draw words of ±1 of which any two differ in a third to two thirds of their entries.

    Words are drawn one by one; a word is kept if it fits all words before it.

    Args:
        random: stream of the code.
        count: P.
        length: n/k.

    Returns:
        Shape (P, n/k).

    Raises:
        ValueError: words of that length are too short for so many.
        ArithmeticError: no word in a thousand draws fits; practically impossible.
    """
    check_length(count, length)
    words = np.empty((count, length))
    for drawn in range(count):
        for _ in range(MAX_CANDIDATES):
            word = rademacher(random, (length,))
            # Hamming distance h and inner product c satisfy c = length − 2h.
            if (3 * np.abs(words[:drawn] @ word) <= length).all():
                break
        else:
            raise ArithmeticError(
                f"no word in {MAX_CANDIDATES} draws is far enough from the {drawn} drawn before."
            )
        words[drawn] = word
    return words


def check_length(count: int, length: int) -> None:
    """Refuse words that are too short for so many of them.

    A new word does not fit an earlier one with a probability c that is known exactly. As long as
    (P − 1) c ≤ 0.9, it fits all of them with a probability of a tenth or more, so that `draw_signs`
    fails once in 10^45 words.

    Raises:
        ValueError: names the largest number of words.
    """
    # Hoeffding's c ≤ 2 exp(−length/18) avoids the sum for long words.
    if 2 * (count - 1) * exp(-length / 18) <= LARGEST_CHANCE:
        return
    inside = sum(comb(length, h) for h in range(-(-length // 3), 2 * length // 3 + 1))
    room = 1 + int(LARGEST_CHANCE / (1 - inside / 2**length))
    if count > room:
        raise ValueError(
            f"n/k = {length} is too short for {count} codewords that differ in a third to two "
            f"thirds of their entries; there is room for {room}. Raise n, or lower k or "
            "code.codewords."
        )


def largest_prime(at_most: int) -> int:
    """Find the largest prime that is at most a number ≥ 2."""
    return next(q for q in range(at_most, 1, -1) if all(q % d for d in range(2, int(sqrt(q)) + 1)))
