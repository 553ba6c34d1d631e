"""The blocks of a store, divided into parts."""

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genprior.store import Layout, choose_chunks, part_block_trials, part_trials
from genprior.sweeps.part import Part

sizes = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@settings(max_examples=60, deadline=None)
@given(shape=sizes, trials=st.integers(1, 40), count=st.integers(1, 20))
def test_parts_are_disjoint_whole_blocks_that_cover_the_store_evenly(
    shape: tuple[int, ...], trials: int, count: int
) -> None:
    layout = Layout(("",) * len(shape), shape, choose_chunks(shape, trials))
    masks = [part_trials(layout, Part(index, count)) for index in range(1, count + 1)]
    assert (np.sum(masks, axis=0) == 1).all()
    blocks = [[mask[layout.region(b)] for b in layout.block_indices()] for mask in masks]
    assert all(block.all() or not block.any() for part in blocks for block in part)
    numbers = [sum(bool(block.all()) for block in part) for part in blocks]
    assert max(numbers) - min(numbers) <= 1


def test_parts_do_not_follow_an_axis() -> None:
    """With as many parts as values of m, no part has one value of m only."""
    layout = Layout(("k", "m", "trial"), (32, 16, 5), (1, 1, 5))
    for index in range(1, 17):
        mask = part_trials(layout, Part(index, 16))
        assert len(set(np.nonzero(mask)[1].tolist())) > 8


def test_the_division_stays_the_same() -> None:
    """Parts of stores to be merged may come from different versions and machines."""
    layout = Layout(("k", "trial"), (12, 4), (1, 4))
    first = [np.flatnonzero(part_trials(layout, Part(i, 3))[:, 0]).tolist() for i in (1, 2, 3)]
    assert first == [[0, 1, 2, 8], [4, 5, 9, 11], [3, 6, 7, 10]]


@pytest.mark.parametrize(
    ("trials", "count", "size"), [(1170, 16, 5), (10**6, 16, 400), (3, 16, 1), (4000, 1, 250)]
)
def test_a_block_of_a_part_is_sized_by_counts_alone(trials: int, count: int, size: int) -> None:
    assert part_block_trials(trials, Part(1, count)) == size
    assert prod(choose_chunks((trials,), size)) == size
