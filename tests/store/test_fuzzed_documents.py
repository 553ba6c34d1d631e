"""Whatever the documents of a store hold, it is read, or refused in one line."""

import json
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from genprior.pipeline.fit.fitting import fit_store
from genprior.store import (
    analysis_groups,
    damaged_analyses,
    load_results,
    open_analysis,
    open_results,
    read_analyses,
    read_status,
    survey_store,
)
from genprior.store.exchange import MARKER, owner_of
from genprior.sweeps import UserError
from genprior.sweeps.errors import LONGEST

DOCUMENTS = [
    "zarr.json", "status/zarr.json", "success/zarr.json", "error/zarr.json", "k/zarr.json",
    "analysis/transition/zarr.json", "analysis/transition/p50/zarr.json",
]  # fmt: skip
ODD: list[Any] = [
    None, True, -1, 0, 1.5, 10**15, 10**400, float("nan"), float("inf"), "", "x", "../x", "\0", "é",
    [], {}, [[]], ["k"], {"name": "pickle"}, "string", "float64", "r8", {"name": "blosc"},
    "9" * 5000, "[" * 2000, {"name": "regular", "configuration": {"chunk_shape": [10**12] * 3}},
]  # fmt: skip
FEW = settings(
    derandomize=True, deadline=None, max_examples=30, suppress_health_check=list(HealthCheck)
)
MANY = settings(FEW, max_examples=300, derandomize=False, database=None, phases=[Phase.generate])


@pytest.fixture(scope="module")
def fitted(recovered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an analysis; each test puts back what it changes."""
    path = tmp_path_factory.mktemp("fuzzed") / "tiny.zarr"
    shutil.copytree(recovered, path)
    fit_store(path)
    return path


def inner_paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The keys that lead to every part of a document."""
    items: Any = []
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value[:3])
    below = [found for key, inner in items for found in inner_paths(inner, (*path, key))]
    return [path, *below] if path else below


@st.composite
def changed_documents(draw: st.DrawFn) -> tuple[str, Callable[[bytes], bytes]]:
    """A document of a store, and what is done to its bytes."""
    name = draw(st.sampled_from(DOCUMENTS))
    if draw(st.integers(0, 3)) == 0:
        at, size = draw(st.floats(0, 1)), draw(st.integers(0, 40))
        piece = draw(st.binary(max_size=8) | st.sampled_from([b"[" * 9999, b"9" * 9999, b'{"":']))

        def cut(content: bytes) -> bytes:
            place = int(at * len(content))
            return content[:place] + piece + content[place + size :]

        return name, cut
    choices = draw(
        st.lists(st.tuples(st.floats(0, 1), st.sampled_from(ODD)), min_size=1, max_size=2)
    )
    removed = draw(st.booleans())

    def replace(content: bytes) -> bytes:
        document = json.loads(content)
        for share, odd in choices:
            paths = inner_paths(document)
            if not paths:
                break
            *above, last = paths[min(int(share * len(paths)), len(paths) - 1)]
            inner = document
            for key in above:
                inner = inner[key]
            if removed:
                del inner[last]
            else:
                inner[last] = deepcopy(odd)
        return json.dumps(document).encode()

    return name, replace


def assert_read_or_refused(path: Path) -> None:
    for read in (
        lambda: read_status(path),
        lambda: survey_store(path, ["success", "error"]),
        lambda: open_results(path),
        lambda: load_results(path, ["success"]),
        lambda: read_analyses(path, analysis_groups(path)),
        lambda: damaged_analyses(path, ["transition"]),
        lambda: open_analysis(path, "transition"),
    ):
        line = ""
        try:
            read()
        except UserError as error:
            line = str(error)
        assert line.isprintable()
        assert len(line) <= LONGEST + 3


def check(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a document, read the store, and put the document back."""
    kept = (path / name).read_bytes()
    try:
        (path / name).write_bytes(change(kept))
        assert_read_or_refused(path)
    finally:
        (path / name).write_bytes(kept)


@pytest.mark.slow
@given(changed=changed_documents())
@FEW
def test_a_store_with_any_document_is_read_or_refused(
    fitted: Path, changed: tuple[str, Callable[[bytes], bytes]]
) -> None:
    check(fitted, *changed)


@pytest.mark.fuzz
@given(changed=changed_documents())
@MANY
def test_a_store_with_hundreds_of_documents(
    fitted: Path, changed: tuple[str, Callable[[bytes], bytes]]
) -> None:
    check(fitted, *changed)


@given(
    content=st.binary(max_size=50) | st.sampled_from([b"[" * 99_999, b"9" * 9_999, b"{}", b"[]"])
)
@FEW
def test_any_marker_of_a_work_area_is_read(tmp_path_factory: Any, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("area")
    (folder / MARKER).write_bytes(content)
    assert owner_of(folder) is None
