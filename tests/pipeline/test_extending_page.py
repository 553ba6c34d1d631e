"""The page on classes of one's own: its examples run as they stand, and keep the contract."""

import re
from pathlib import Path
from typing import Any

from helpers import PROJECT

import genprior as gp
from genprior.sweeps.parameters import PARAMETERS
from genprior.tasks.registry import REGISTRIES

PAGE = PROJECT / "docs" / "extending.md"


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "page"}
    try:
        for block in blocks:
            exec(compile(block, str(PAGE), "exec"), names)
        summary = gp.run(names["sweep"], tmp_path / "p.zarr", scheduler="synchronous")
        assert (summary.done, summary.crashed) == (12, 0)
        with gp.open(tmp_path / "p.zarr") as results:
            share = results.success.mean("trial")
            assert float(share.sel({"mask.share": 1.0})) >= 0.5
    finally:
        for registry in REGISTRIES.values():
            for found in list(registry.known()):
                registry.forget(found.name)
    assert "mask.share" not in PARAMETERS


def test_the_page_names_every_registry() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for registry in REGISTRIES.values():
        assert f"`{registry.group}`" in text
        assert f"`{registry.what}`" in text
