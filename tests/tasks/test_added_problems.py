"""Problems that other packages offer: the example of docs/problems.md, and what can go wrong."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from helpers import GENPRIOR, PROJECT, assert_names, offer, refused, results
from numpy.testing import assert_allclose
from one_trial import recover

from genprior.sweeps import Point, SweepError
from genprior.tasks import problems
from genprior.tasks.instance import draw_instance
from genprior.tasks.problems import PROBLEMS, check_point, problem_class

PAGE = PROJECT / "docs" / "problems.md"
README = PAGE.parent.parent / "README.md"


def block(language: str, holding: str) -> str:
    """The one block of code on the page that holds a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [text for text in blocks if holding in text]
    return found


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Have an installed package offer problems, in place of what it offered before."""
    with pytest.MonkeyPatch.context() as patch:

        def install(**objects: str) -> None:
            site = tmp_path / "-".join(("site", *objects))
            offer(site, PROBLEMS.group, **objects)
            patch.syspath_prepend(site)
            PROBLEMS.search_again()

        yield install
    PROBLEMS.search_again()


@pytest.fixture
def deblurring(monkeypatch: pytest.MonkeyPatch, install: Callable[..., None]) -> ModuleType:
    """The page's module, imported and offered."""
    module = ModuleType("deblurring")
    monkeypatch.setitem(sys.modules, "deblurring", module)
    exec(compile(block("python", "class Deblurring"), str(PAGE), "exec"), module.__dict__)
    install(deblurring="deblurring:Deblurring")
    return module


def point(**changes: Any) -> Point:
    written = {"problem": "deblurring", "k": 2, "depth": 2, "widths": [40, 80], **changes}
    return Point.model_validate(written)


# The page


def test_the_example_of_the_page_recovers(deblurring):
    values = recover(point(), 0, 0)
    assert values["success"] == 1


def test_the_example_of_the_page_has_the_gradient_it_states(deblurring):
    """G = S(S y − b), by central differences of a quadratic, which are exact but for ε/h."""
    drawn = draw_instance(point(noise={"sigma": 0.1}), 0, 0).objective.problem
    signal, h = np.random.default_rng(0).standard_normal(80), 1e-5
    slope = [
        (drawn.misfit(signal + step).loss - drawn.misfit(signal - step).loss) / (2 * h)
        for step in h * np.eye(80)
    ]
    assert_allclose(drawn.gradient(drawn.misfit(signal)), slope, atol=1e-8)


@pytest.mark.slow
@pytest.mark.cluster
def test_a_package_with_the_example_of_the_page_serves_the_command_line(tmp_path: Path) -> None:
    """Built and installed by pip into a folder of its own; two worker processes find it there."""
    source, site = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    (source / "deblurring.py").write_text(block("python", "class Deblurring"), encoding="utf-8")
    (source / "pyproject.toml").write_text(block("toml", "entry-points"), encoding="utf-8")
    sweep, store = tmp_path / "deblur.toml", tmp_path / "deblur.zarr"
    sweep.write_text(block("toml", "# deblur.toml"), encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))

    def call(*command: object, status: int = 0) -> str:
        ended = subprocess.run(
            list(map(str, command)),
            env={**os.environ, "PYTHONPATH": path},
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ended.returncode == status, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    call(sys.executable, "-m", "pip", "install", "-q", *offline, "--target", site, source)
    assert json.loads(call(GENPRIOR, "plan", sweep, "--json"))["points"] == 4
    call(GENPRIOR, "run", sweep, store, "--scheduler", "processes", "--workers", "2")
    found = results(store)
    assert (found.status == 1).all()
    assert found.problem.item() == "deblurring"
    clean, noisy = (found.signal_error.sel({"noise.sigma": s}) for s in (0, 0.01))
    assert found.success.sel({"noise.sigma": 0}).mean() > 0.5
    assert clean.median() < 1e-6 < noisy.median()
    (metadata,) = site.glob("*.dist-info/METADATA")
    metadata.write_text(metadata.read_text().replace("Version: 0.1.0", "Version: 0.2.0"))
    run = (GENPRIOR, "run", sweep, store, "--trials", "9", "--scheduler", "synchronous")
    said = call(*run, status=1)
    assert_names(said, "problem packages", "deblurring 0.1.0", "deblurring 0.2.0")
    call(*run, "--allow-mixed")
    mixed = json.loads(results(store).attrs["mixed"])
    assert mixed == [{"problem_packages": "deblurring: deblurring 0.2.0"}]


def test_the_page_lists_every_problem_with_its_parameters():
    """`dither.*` stands for three, and phase retrieval has those of compressed sensing."""
    rows = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    listed = {row[0].strip("| `"): row[-1] for row in rows if len(row) == 5 and "`" in row[0]}
    listed.pop("problem")
    assert list(listed) == list(PROBLEMS.built_in)
    listed["phase-retrieval"] = listed["compressed-sensing"]
    for name, problem in PROBLEMS.built_in.items():
        dithers = [each for each in PROBLEMS.parameters() if "dither" in each]
        text = listed[name].replace("dither.*", "`, `".join(dithers))
        assert set(re.findall(r"`([^`]+)`", text)) == set(problem.uses)


def test_the_pages_that_name_parameters_lead_to_this_one():
    """And to headings that it has."""
    headings = re.findall(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert "(docs/problems.md)" in README.read_text(encoding="utf-8")
    sweep_files = (PAGE.parent / "sweep-files.md").read_text(encoding="utf-8")
    assert "(problems.md)" in sweep_files
    linked = set(re.findall(r"\(problems\.md#([^)]*)\)", sweep_files))
    assert linked
    assert linked <= anchors


# What can go wrong


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("no_such_module:Thing", ["no_such_module"]),
        (
            "math:no_such_thing",
            ["no_such_thing", "'math'"],
        ),
        ("math:pi", ["genprior.tasks.problems.Problem"]),
        ("math:sqrt", ["genprior.tasks.problems.Problem"]),
        ("pathlib:Path", ["genprior.tasks.problems.Problem"]),
    ],
)
def test_what_is_offered_but_is_no_problem_is_named(install, value, named):
    install(broken=value)
    for refuse in (lambda: problem_class("broken"), lambda: check_point(point(problem="broken"))):
        with pytest.raises(SweepError) as refusal:
            refuse()
        assert_names(refusal.value, "problem", "'broken'", value, *named)


def test_a_module_that_fails_while_it_is_imported_ends_in_one_line(
    genprior: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    install: Callable[..., None],
) -> None:
    (tmp_path / "raises.py").write_text("raise RuntimeError('no licence\\nfound')\n")
    monkeypatch.syspath_prepend(tmp_path)
    install(broken="raises:Thing")
    sweep = tmp_path / "broken.toml"
    sweep.write_text('axes.k = [1]\nparameters = {problem = "broken", depth = 1, widths = [4]}\n')
    result = genprior("plan", sweep)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert_names(line, "problem", "'broken'", "raises:Thing", "no licence found")


def test_an_offered_problem_is_suggested_and_cannot_replace_ours(deblurring, install):
    with pytest.raises(SweepError, match="'deblurring'"):
        problem_class("deblurrring")
    with refused(SweepError, "'tomography'", *PROBLEMS.built_in, "deblurring"):
        problem_class("tomography")
    install(inversion="deblurring:Deblurring")
    assert problem_class("inversion") is PROBLEMS.built_in["inversion"]


def test_a_broken_offer_does_not_disturb_the_other_problems(install):
    install(broken="no_such_module:Thing")
    assert problem_class("one-bit") is PROBLEMS.built_in["one-bit"]
    with pytest.raises(SweepError, match="'tomography'"):
        problem_class("tomography")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"misfit": None}, ["misfit", "'partial'"]),
        ({"scale": None, "draw": None}, ["'partial'", "draw", "scale"]),
        ({"name": "deblurring"}, ["'deblurring'"]),
        ({"name": None}, ["'partial'", "None"]),
    ],
)
def test_a_class_that_is_not_complete_is_refused_before_anything_runs(
    deblurring, install, changes, named
):
    """As if it lacked those methods, or its name."""
    missing = {method: getattr(problems.Problem, method) for method in set(changes) - {"name"}}
    name = {"name": changes.get("name", "partial")}
    deblurring.Partial = type("Partial", (deblurring.Deblurring,), {**missing, **name})
    install(partial="deblurring:Partial")
    with pytest.raises(SweepError) as refusal:
        problem_class("partial")
    assert_names(refusal.value, *named)


def test_a_parameter_that_an_offered_problem_does_not_have_is_refused(
    genprior: Callable[..., Result], tmp_path: Path, deblurring: ModuleType
) -> None:
    sweep = tmp_path / "deblur.toml"
    sweep.write_text(block("toml", "# deblur.toml"), encoding="utf-8")
    assert genprior("plan", sweep).exit_code == 0
    result = genprior("plan", sweep, "--set", "m=5")
    assert result.exit_code == 2
    assert_names(result.stderr, "'m'", "'deblurring'", "noise.sigma")
