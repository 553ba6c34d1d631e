"""Medians of cells and their scatter, by a bootstrap in which cells that share draws move alike."""

import numpy as np
from numpy.typing import NDArray

from .links import Floats

Ints = NDArray[np.int64]
REPLICATES = 1000
MOST_WEIGHTS = 4_000_000  # held in memory at a time
SEED = 20_261


def replicated_medians(values: Floats, clusters: Ints, replicates: int = REPLICATES) -> Floats:
    """Draw medians of cells from their Bayesian bootstrap.

    In a replicate every trial has a weight from the exponential distribution; cells of the same
    cluster, which share the same draws, give a trial the same weight. The deviations from their
    mean are stretched by √(n/(n − 1)), n the trials of the cell's cluster that count anywhere in
    it. The generator is seeded: the same values give the same replicates.

    Args:
        values: shape (cells, trials), NaN for a trial that does not count; each cell has one that
            counts.
        clusters: label of each cell, shape (cells,).
        replicates: number of replicates.

    Returns:
        Shape (replicates, cells).

    Source: Rubin, Ann. Statist. 9 (1981) 130–134.
    """
    rng = np.random.default_rng(SEED)
    trials = values.shape[1]
    result = np.empty((replicates, len(values)))
    step = max(1, MOST_WEIGHTS // trials)
    for label in np.unique(clusters):
        members = np.flatnonzero(clusters == label)
        for start in range(0, replicates, step):
            part = slice(start, min(start + step, replicates))
            weights = rng.standard_exponential((part.stop - start, trials))
            for cell in members:
                counts = np.flatnonzero(~np.isnan(values[cell]))
                order = counts[np.argsort(values[cell, counts])]
                result[part, cell] = weighted_medians(values[cell, order], weights[:, order])
    stretch = np.sqrt(1 + 1 / np.maximum(cluster_sizes(values, clusters) - 1, 1))
    middle = result.mean(axis=0)
    stretched: Floats = middle + stretch * (result - middle)
    return stretched


def cluster_sizes(values: Floats, clusters: Ints) -> Ints:
    """Count the trials that count anywhere in the cluster of each cell, shape (cells,)."""
    sizes = [
        np.count_nonzero(~np.isnan(values[clusters == label]).all(axis=0)) for label in clusters
    ]
    return np.array(sizes, dtype=np.int64)


def weighted_medians(ascending: Floats, weights: Floats) -> Floats:
    """Interpolate where the weight below and half the own weight make up one half of all.

    Args:
        ascending: values, shape (n,), n ≥ 1.
        weights: positive, shape (replicates, n).

    Returns:
        Medians, shape (replicates,).
    """
    if ascending.size == 1:
        return np.full(len(weights), ascending[0])
    below = np.cumsum(weights, axis=1)
    middles = (below - weights / 2) / below[:, -1:]
    right = np.clip((middles < 0.5).sum(axis=1), 1, ascending.size - 1)
    rows = np.arange(len(weights))
    before, after = middles[rows, right - 1], middles[rows, right]
    share = np.clip((0.5 - before) / (after - before), 0, 1)
    medians: Floats = ascending[right - 1] + share * (ascending[right] - ascending[right - 1])
    return medians
