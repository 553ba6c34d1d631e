"""The fast engine gives the plain engine's runs: steps, verdicts, negations, codes."""

import numpy as np
import pytest

from genprior.tasks.descent import Descent, Patience, SubgradientDescent, Verdict, descend
from genprior.tasks.fast import descend_fast
from genprior.tasks.network import gaussian_network
from genprior.tasks.problems import CompressedSensing, gaussian_sensing


def problem(
    rng: np.random.Generator, k: int, widths: list[int], m: int, sigma: float = 0.0
) -> tuple[CompressedSensing, np.ndarray]:
    """A problem whose signal has norm 1, and its target."""
    network = gaussian_network(rng, k, widths)
    target = rng.standard_normal(k)
    target /= max(np.linalg.norm(network(target)), 1e-3)
    sensing = gaussian_sensing(rng, m, widths[-1])
    observed = sensing @ network(target) + sigma * rng.standard_normal(m)
    return CompressedSensing(network, sensing, observed), target


def both(
    given: CompressedSensing,
    start: np.ndarray,
    method: SubgradientDescent,
    max_steps: int,
    patience: Patience | None = None,
) -> tuple[Descent, Descent]:
    """The runs of both engines."""
    return (
        descend(given, method, start, max_steps=max_steps, patience=patience),
        descend_fast(given, method, start, max_steps=max_steps, patience=patience),
    )


def assert_same(plain: Descent, fast: Descent) -> None:
    """The contract."""
    assert (fast.steps, fast.verdict, fast.hopeless) == (plain.steps, plain.verdict, plain.hopeless)
    assert fast.state.negations == plain.state.negations
    if plain.verdict is not Verdict.DIVERGED:
        size = np.linalg.norm(plain.state.code)
        assert np.linalg.norm(fast.state.code - plain.state.code) <= 1e-9 * size
        assert fast.state.best_loss == pytest.approx(plain.state.best_loss, rel=1e-5, abs=1e-19)
