"""The packages: what imports what, what is packaged, how long a module of tests is."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
ROOMS = {
    "sweeps": set(),
    "tasks": {"sweeps"},
    "store": {"sweeps"},
    "pipeline": {"sweeps", "tasks", "store"},
}
# What only one room, or none below another, may know.
KEPT_IN = {"zarr": {"store"}, "dask": {"pipeline"}, "distributed": {"pipeline"}}
TEXT_ONLY = {"dask.utils"}  # how bytes and durations are written, in all messages alike
TOP_LEVEL = {
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "constraints.txt",
    *ROOMS,
    "tests",
    "docs",
}
# A folder of the pipeline is the package `genprior` itself.
PUBLIC = Path("pipeline/public")
MODULES = [
    pytest.param(room, path, id=str(path.relative_to(HOUSE)))
    for room in ROOMS
    for path in sorted((HOUSE / room).rglob("*.py"))
]
TESTS = [
    pytest.param(path, id=str(path.relative_to(HOUSE)))
    for path in sorted((HOUSE / "tests").rglob("*.py"))
]
MOST_LINES = 400
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))


def imports(source: str, room: str, depth: int = 1) -> Iterator[tuple[str, str]]:
    """Every import of a module, also inside functions: the room and the outside package.

    A module lies so many folders below the top.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level <= depth:
            names = [f"genprior.{room}" if node.level else str(node.module)]
        elif isinstance(node, ast.ImportFrom):
            names = [f"genprior.{node.module or alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            outside = "" if name in TEXT_ONLY else package
            yield (rest.split(".")[0], "") if package == "genprior" else ("", outside)


def test_the_reader_of_imports_sees_them_all():
    """The test below would pass on a reader that is blind."""
    source = """
import zarr.codecs, genprior.store.layout
from ..tasks import x
from .. import pipeline
from .own import y
def late():
    from genprior.sweeps.errors import z
    import dask
    from dask.utils import format_bytes
"""
    rooms, outside = zip(*imports(source, "sweeps"), strict=True)
    assert set(rooms) - {""} == {"store", "tasks", "pipeline", "sweeps"}
    assert set(outside) - {""} == {"zarr", "dask"}


@pytest.mark.parametrize(("room", "path"), MODULES)
def test_rooms_import_only_downwards(room, path):
    """Sweeps know nothing of ours, tasks and store only sweeps: each can be read by itself."""
    depth = len(path.relative_to(HOUSE).parts) - 1
    source = path.read_text(encoding="utf-8")
    if PUBLIC in path.relative_to(HOUSE).parents:
        # A relative import would mean one thing on disk and another where it is installed.
        assert not [node for node in ast.walk(ast.parse(source)) if getattr(node, "level", 0)]
    for other, package in imports(source, room, depth):
        assert other in {"", room} | ROOMS[room]
        assert room in KEPT_IN.get(package, ROOMS)


def known_names() -> tuple[set[str], set[str]]:
    """The parameters with their tables, and what sweep files may name: classes and analyses."""
    from genprior.sweeps.parameters import PARAMETERS, groups
    from genprior.sweeps.readings import readings
    from genprior.tasks.registry import REGISTRIES

    classes = {cls.name for registry in REGISTRIES.values() for cls in registry.known()}
    analyses = {name for each in readings() for name in (each.name, each.settings_name) if name}
    return {*PARAMETERS, *groups()}, classes | analyses


def words_of_science(source: str) -> set[str]:
    """What a module names, as text, as an attribute or as an argument, that is told to sweeps.

    What is said of an example in a sentence is no name, and a fact of parameters may be called like
    a table of them.
    """
    from genprior.sweeps.parameter import Facts

    parameters, classes = known_names()
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value} & (parameters | classes)
        elif isinstance(node, ast.Attribute):
            found |= {node.attr} & parameters
        elif isinstance(node, ast.keyword):
            found |= {str(node.arg)} & parameters
    return found - set(Facts.__dataclass_fields__)


def test_the_reader_of_words_sees_them_all():
    """The test below would pass on a reader that is blind; loop variables are no names."""
    source = """
for k, m in pairs: print(point.depth, names["noise.sigma"], "landscape", make(widths=3), "solver")
task = "recovery"
problem = f"of generator {task}, as in k=5"
"""
    assert words_of_science(source) == {
        "depth", "noise.sigma", "landscape", "widths", "solver", "recovery",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path", [pytest.param(p.values[1], id=p.id) for p in MODULES if p.values[0] == "sweeps"]
)
def test_sweeps_know_no_word_of_science(path):
    """What parameters, experiments, problems, solvers and analyses there are is told to them."""
    assert not words_of_science(path.read_text(encoding="utf-8"))


def test_what_a_point_is_is_told_when_it_is_first_asked_for():
    """A process that imports sweeps alone reads the same sweeps as any other."""
    code = (
        "import sys, genprior.sweeps as s; assert 'genprior.tasks' not in sys.modules;"
        "w = s.Sweep.parse({'axes': {'k': [2]}, 'parameters': {'depth': 1, 'n': 9}});"
        "print(w.task, s.Grid(w).point((0,)).widths, s.Point.__module__)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert said == "recovery (9,) genprior.tasks.point\n"


@pytest.mark.parametrize("room", ["sweeps", "tasks"])
def test_the_lower_rooms_load_neither_dask_nor_zarr(room):
    """A process that only computes starts without them."""
    code = f"import genprior.{room}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert f"genprior.{room}" in loaded
    assert not {"dask", "distributed", "zarr"} & set(loaded)


@pytest.mark.parametrize("path", [*TESTS, *(pytest.param(*m.values[1:], id=m.id) for m in MODULES)])
def test_no_module_is_longer_than_400_lines(path):
    """One that is longer has several subjects: each goes to a module of its own."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def package_of(folder: Path) -> str:
    """The package that a folder of the house is, once installed."""
    inside = folder.relative_to(HOUSE)
    if inside.is_relative_to(PUBLIC):
        return ".".join(("genprior", *inside.relative_to(PUBLIC).parts))
    return ".".join(("genprior", *inside.parts))


def test_every_room_is_packaged():
    """A sub-package that is not listed is silently missing from the wheel."""
    listed = PROJECT["tool"]["setuptools"]["packages"]
    folders = [
        package_of(path.parent) for room in ROOMS for path in (HOUSE / room).rglob("__init__.py")
    ]
    assert sorted(listed) == sorted(folders)
    assert listed[0] == "genprior"
    assert {name.split(".")[1] for name in listed[1:]} == set(ROOMS)
    assert len(listed) == len(set(listed))
    mapped = {"genprior": str(PUBLIC)} | {f"genprior.{room}": room for room in ROOMS}
    assert PROJECT["tool"]["setuptools"]["package-dir"] == mapped
    assert not (HOUSE / "__init__.py").exists()


def test_the_public_package_has_one_name():
    """Under a second one there would be two of everything that it holds."""
    import genprior.pipeline

    assert (HOUSE / PUBLIC / "__init__.py").samefile(genprior.__file__)
    with pytest.raises(ImportError):
        import_module("genprior.pipeline.public")
    assert "genprior.pipeline.public" not in sys.modules


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_of_a_room_that_is_no_module_is_package_data(room):
    """Presets above all: without them an installed genprior has no sweeps."""
    folder = HOUSE / room
    patterns = PROJECT["tool"]["setuptools"]["package-data"][f"genprior.{room}"]
    packed = {path for pattern in patterns for path in folder.glob(pattern)}
    others = {
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix not in (".py", ".pyc")
        and not path.name.startswith(".")
        and PUBLIC not in path.relative_to(HOUSE).parents
    }
    assert packed == others
    assert folder / "py.typed" in packed
    assert room != "sweeps" or len(list(folder.glob("presets/*.toml"))) >= 4


def test_type_checkers_are_told_that_the_public_package_is_typed():
    assert PROJECT["tool"]["setuptools"]["package-data"]["genprior"] == ["py.typed"]
    assert (HOUSE / PUBLIC / "py.typed").is_file()


def test_nothing_unexpected_lies_at_the_top():
    """Of the files in version control; there may be none, in an unpacked source distribution."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, text=True, timeout=60
        )
    except FileNotFoundError:
        return
    tracked = listed.stdout.split("\0") if listed.returncode == 0 else []
    top = {Path(name).parts[0] for name in tracked if name}
    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL
    # A dot-file may configure a tool, no more: not hold code of ours.
    hidden = [name for name in tracked if name.startswith(".") and name.endswith(".py")]
    assert not hidden
