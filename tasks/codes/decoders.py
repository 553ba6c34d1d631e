"""Decoders of a measured Lipschitz code: over its points, and over its generator's range."""

from typing import Protocol

import numpy as np

from ..numerics.network import Matrix, Vector
from .lipschitz_code import LipschitzCode, Symbols, curve_points

MAX_ROUNDS = 200
LEAST_FALL = 1e-9  # relative fall of the loss in a round, below which the rounds end


class Decoder(Protocol):
    """Finds the point of a code that was measured, as its word."""

    def nearest(self, measured: Vector) -> Symbols:
        """Decode A w, shape (m,), with w near a point, into a word of shape (k,)."""
        ...


class NearestPoint:
    """The point z of Z for which ‖A z − A w‖ is smallest, by a search of all points.

    That is least squares over Z itself. No scheme that searches the larger range of G can be
    expected to do better. Its cost is |Z| = q^message.

    Args:
        code: the code.
        corners: A applied to block i at codeword s, shape (k, P, m).
    """

    def __init__(self, code: LipschitzCode, corners: Matrix):
        self.words = code.words()
        self.images = np.zeros((code.size, corners.shape[2]))
        for symbols, block in zip(self.words.T, corners, strict=True):
            self.images += block[symbols]
        self.half_squares = 0.5 * np.einsum("zm,zm->z", self.images, self.images)

    def nearest(self, measured: Vector) -> Symbols:
        """Minimise ½‖A z‖² − ⟨A z, A w⟩; give the word, shape (k,)."""
        return np.asarray(self.words[np.argmin(self.half_squares - self.images @ measured)])


class NearestOnRange:
    """The point of Z nearest to G(x̂), where x̂ makes ‖A G(x̂) − A w‖ small.

    This is the source's scheme: recovery over the range, then rounding. No algorithm is known to
    find the best x. Here coordinate descent searches it: one block after another moves to the best
    place on its curve, with the others fixed, until a round changes nothing; of several random
    starts the best counts. It may end in a local minimum. Only the rounding searches all points.

    Args:
        code: the code.
        corners: A applied to block i at codeword s, shape (k, P, m).
        starts: places on the curves (see `curve_points`), one row for each start, shape (s, k).
    """

    def __init__(self, code: LipschitzCode, corners: Matrix, starts: Matrix):
        self.code, self.corners, self.starts = code, corners, starts
        self.words = code.words()

    def nearest(self, measured: Vector) -> Symbols:
        """Recover, then round in R^n: minimise ‖G(x̂) − z‖, or maximise ⟨G(x̂), z⟩."""
        signal = curve_points(self.code.codewords, self.recover(measured))
        agreement = np.zeros(len(self.words))
        for symbols, products in zip(self.words.T, signal @ self.code.codewords.T, strict=True):
            agreement += products[symbols]
        return np.asarray(self.words[np.argmax(agreement)])

    def recover(self, measured: Vector) -> Vector:
        """Find places on the curves, shape (k,), with a small ‖A G(x) − A w‖."""
        places = self.starts.copy()
        parts = np.stack(
            [curve_points(block, at) for block, at in zip(self.corners, places.T, strict=True)]
        )
        residual = measured - parts.sum(axis=0)
        losses = np.einsum("sm,sm->s", residual, residual)
        for _ in range(MAX_ROUNDS):
            before = losses
            for i, block in enumerate(self.corners):
                residual += parts[i]
                places[:, i] = nearest_places(block, residual)
                parts[i] = curve_points(block, places[:, i])
                residual -= parts[i]
            losses = np.einsum("sm,sm->s", residual, residual)
            if (losses >= (1 - LEAST_FALL) * before).all():
                break
        return np.asarray(places[np.argmin(losses)])


def nearest_places(corners: Matrix, targets: Matrix) -> Vector:
    """Find the place of the nearest point of a curve, for each target; see `curve_points`.

    Args:
        corners: shape (P, q).
        targets: shape (s, q).

    Returns:
        Shape (s,), from 0 to P − 1.
    """
    lines = np.diff(corners, axis=0)
    lengths = np.einsum("pq,pq->p", lines, lines)
    away = targets @ lines.T - np.einsum("pq,pq->p", lines, corners[:-1])
    # All places of a line of length 0 are the same point.
    shares = np.clip(away / np.where(lengths > 0, lengths, np.inf), 0, 1)
    # ‖target − corner − share·line‖² less ‖target‖².
    squares = np.einsum("pq,pq->p", corners[:-1], corners[:-1]) - 2 * targets @ corners[:-1].T
    best = np.argmin(squares + shares * (shares * lengths - 2 * away), axis=1)
    return np.asarray(best + shares[np.arange(len(best)), best])


def decode(
    measured: Vector, levels: int, scale: float, decoder: Decoder, corners: Matrix
) -> Symbols:
    """Decode Σ_j D^j A z_j from the largest scale down; smaller scales act as its noise.

    Args:
        measured: A z, shape (m,).
        levels: number of scales, j = 1 … levels.
        scale: D.
        decoder: finds z_j from A (z_j + Σ_{i<j} D^{i−j} z_i).
        corners: A applied to block i at codeword s, shape (k, P, m).

    Returns:
        Words of z_1, z_2, …, the smallest scale first, shape (levels, k).

    Source: Kamath, Karmalkar & Price 2020, Section 2.1.
    """
    words = []
    for level in range(levels, 0, -1):
        word = decoder.nearest(measured / scale**level)
        measured = measured - scale**level * corners[np.arange(len(word)), word].sum(axis=0)
        words.append(word)
    return np.array(words[::-1])
