"""Recovery problems: a loss on the latent code and its descent vector."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from .network import Matrix, Network, Vector


class Evaluation(NamedTuple):
    """f(x), and what its descent vector needs: the residual and the activations."""

    loss: float
    residual: Vector
    activations: tuple[Vector, ...]


class Problem(Protocol):
    """What the descent asks of a problem."""

    def first(self, code: Vector) -> Vector:
        """W_1 x, shape (n_1,), which serves both x and −x."""
        ...

    def evaluate(self, first: Vector) -> Evaluation:
        """F at the code whose first pre-activation is given."""
        ...

    def descent_vector(self, evaluation: Evaluation) -> Vector:
        """v, shape (k,), at the code that was evaluated."""
        ...


@dataclass(frozen=True)
class CompressedSensing:
    """Recover y* = G(x*) from b = A y* + η.

    f(x) = ½‖A G(x) − b‖², v(x) = Λ_xᵀ Aᵀ(A G(x) − b), where Λ_x is G's linear map at x.

    Args:
        network: G.
        sensing: A, shape (m, n).
        observed: b, shape (m,), in signal units.

    Source: Hand & Voroninski, (1); Cocola 2022, (1) and Algorithm 2.
    """

    network: Network
    sensing: Matrix
    observed: Vector

    def first(self, code: Vector) -> Vector:
        """W_1 x, shape (n_1,), which serves both x and −x."""
        return self.network.weights[0] @ code

    def evaluate(self, first: Vector) -> Evaluation:
        """f(x) in signal units squared, from W_1 x."""
        activations = self.network.forward(first)
        residual = self.sensing @ activations[-1]
        residual -= self.observed
        return Evaluation(0.5 * float(residual @ residual), residual, activations)

    def descent_vector(self, evaluation: Evaluation) -> Vector:
        """v(x), shape (k,), in signal units squared (of the code's scale 1)."""
        return self.network.backward(self.sensing.T @ evaluation.residual, evaluation.activations)


def gaussian_sensing(random: np.random.Generator, m: int, n: int) -> Matrix:
    """Draw A, shape (m, n), with iid N(0, 1/m) entries."""
    sensing = random.standard_normal((m, n))
    sensing *= 1 / np.sqrt(m)
    return sensing


def noise_of_snr(random: np.random.Generator, clean: Vector, snr_db: float) -> Vector:
    """Draw η = t·e, e uniform on the sphere, with 10·log10(‖clean‖/‖η‖) = snr_db.

    This is a ratio of norms with the factor 10, as the source defines it (not 20).

    Args:
        random: stream of the noise.
        clean: A y*, shape (m,), in signal units.
        snr_db: signal-to-noise ratio, in dB as above.

    Returns:
        Shape (m,), in signal units.

    Source: Cocola 2022, Appendix H.
    """
    direction = random.standard_normal(clean.shape)
    length = np.linalg.norm(clean) * 10 ** (-snr_db / 10)
    return np.asarray(direction * (length / np.linalg.norm(direction)))
