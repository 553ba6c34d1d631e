"""Pictures without their pixels: where their text, legends, cells and points lie."""

import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest
from click.testing import Result
from helpers import GENPRIOR, Scripted, assert_names, recovery_sweep, tiny_sweep
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from genprior.pipeline import run_sweep
from genprior.pipeline.analyses import Request, Transition
from genprior.pipeline.analyses.law import Law
from genprior.pipeline.show.canvas import Look, own_style
from genprior.pipeline.show.figures import draw
from genprior.pipeline.show.law_figures import draw_law
from genprior.pipeline.show.picture_axes import cell_edges, is_geometric
from genprior.pipeline.show.picture_text import literal, wrapped
from genprior.pipeline.show.success_figures import draw_curves, draw_maps
from genprior.store import read_info

Command = Callable[..., Result]
LONG = "A title that goes on, as titles of sweeps do when they say all: " * 6
DOUBLING = [4, 8, 16, 32, 64, 128, 256, 512]
NAMES = ["-".join([str(width)] * 12) for width in (5000, 5001, 5002, 5003)]
LANDSCAPE = {
    "task": "landscape",
    "trials": 1,
    "axes": {
        "problem": ["inversion", "phase-retrieval"],
        "plane": {"along": [-1, 0, 1, 1.5], "across": [-1, 0, 1]},
    },
    "parameters": {"k": 2, "depth": 1, "widths": [9], "m": 40, "solver": {"max_steps": 20}},
    "fit": {},
}


# Every kind of picture, with shapes of axes that were cut or overlapped.
SHAPES: dict[str, dict[str, Any]] = {
    "map-log": {"axes": {"k": [2, 4, 8, 16, 32], "m": DOUBLING}},
    "map-one-row": {"axes": {"k": [2, 4, 6], "m": [7]}},
    "map-forty": {"axes": {"gain": [1.0000001, 1.0000002, 1.0000003], "m": list(range(100, 140))}},
    "map-panels": {
        "axes": {"noise.sigma": [i / 10 for i in range(6)], "widths": NAMES, "k": [2, 4, 6],
                 "m": [7]},
    },
    "curve-one-value": {"axes": {"m": [7]}},
    "curves-eight": {
        "axes": {"noise.law": ["gaussian", "laplace"], "last_layer": ["relu", "linear"],
                 "gain": [1, 1.0000001], "m": [3, 5, 9]},
    },
    "curves-names": {"axes": {"widths": NAMES, "m": DOUBLING}},
    "levels-names": {"axes": {"gain": [1, 2], "widths": NAMES}, "fit": {},
                     "plot": {"variable": "latent_error"}},
    "levels-forty": {"axes": {"k": list(range(1000, 1040))}, "fit": {},
                     "plot": {"variable": "iterations"}},
    "law": {"axes": {"last_layer": ["relu", "linear"], "m": DOUBLING}, "trials": 9, "fit": {},
            "law": {"variable": "latent_error", "exponents": {"m": -0.5}}},
    "comparison": {"axes": {"gain": [1, 2, 3], "m": DOUBLING}, "fit": {},
                   "compare": {"over": "gain"}},
    "comparison-panels": {
        "axes": {"widths": NAMES, "k": list(range(2, 7)), "m": list(range(100, 120))}, "fit": {},
        "compare": {"over": "widths"},
    },
    "basins": {"axes": {"k": [2, 3], "m": [3, 5, 7]}, "basins": {}, "fit": {}, "task": "recovery",
               "parameters": {"depth": 2, "widths": [15, 20], "solver": {"max_steps": 9}}},
    "landscape": LANDSCAPE,
    "trajectories": {**LANDSCAPE, "task": "trajectory", "axes": {
        "problem": ["inversion", "phase-retrieval"],
        "trajectory": {"angle": [10, 100, 190], "step": [0, 1, 5, 20]},
    }},
}  # fmt: skip


def drawn(store: Path, kind: Scripted, shape: dict[str, Any], look: Look | None = None) -> Figure:
    """A picture of the scripted task, or of the task that the shape names."""
    changes = {"title": LONG, "trials": 2, "blocks": {"trials": 10_000}, **shape}
    axes = changes.get("axes", {"k": [], "m": []})
    common = {"k": 7, "m": 7, "widths": [5000] * 12}
    given = {name: value for name, value in common.items() if name not in axes}
    given |= {"depth": 12, **changes.get("parameters", {})}
    sweep = tiny_sweep(**{**changes, "parameters": given})
    run_sweep(sweep, store, kind=None if "task" in shape else kind)
    return draw(read_info(store), look)


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """What a picture says, with the boxes of the text in pixels."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    found = [text for text in figure.texts if text.get_text()]
    for axes in figure.axes:
        if axes.get_visible():
            found += [axes.title, axes.xaxis.label, axes.yaxis.label, *ticks(axes)]
            legend = axes.get_legend()
            found += [*legend.get_texts(), legend.get_title()] if legend else []
    shown = [text for text in found if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in shown]


def ticks(axes: Axes) -> Iterator[Text]:
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            # One beyond the ends of the axis is not drawn.
            if not low <= tick.get_loc() <= high:
                continue
            yield from (label for label in (tick.label1, tick.label2) if label.get_visible())


def meet(first: Bbox, second: Bbox) -> bool:
    both = Bbox.intersection(first, second)
    return both is not None and both.width > 1 and both.height > 1


def data_points(axes: Axes) -> np.ndarray:
    """The points and the ends of the bars of a panel, in pixels."""
    segments = [part for bars in axes.collections for part in getattr(bars, "get_segments", list)()]
    lines = [line.get_xydata() for line in axes.lines if line.get_transform() == axes.transData]
    points = np.concatenate([np.empty((0, 2)), *segments, *lines]).astype(float)
    return axes.transData.transform(points[np.isfinite(points).all(axis=1)])


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_nothing_is_cut_and_nothing_overlaps(store: Path, kind: Scripted, name: str) -> None:
    figure = drawn(store, kind, SHAPES[name])
    renderer = figure.canvas.get_renderer()
    around = figure.get_tightbbox(renderer)
    width, height = figure.get_size_inches()
    assert around.x0 >= -0.02
    assert around.y0 >= -0.02
    assert around.x1 <= width + 0.02
    assert around.y1 <= height + 0.02
    assert width < 20, "the title is in lines"
    said = texts(figure)
    clash = [(a, b) for (a, one), (b, other) in combinations(said, 2) if meet(one, other)]
    assert clash == []
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert min(axes.get_window_extent().height for axes in panels) > figure.dpi
    for axes in panels:
        if legend := axes.get_legend():
            box = legend.get_window_extent(renderer)
            assert not any(box.contains(*point) for point in data_points(axes))
            assert all(handle is not None for handle in legend.legend_handles)
    assert " ".join(said[0][0].split()) == LONG.strip()


@pytest.mark.slow
def test_a_picture_needs_no_setting_of_the_users(tmp_path: Path) -> None:
    """A backend and fonts that are missing, usetex, warnings that are errors: nothing on stderr.

    The title has what mathtext, TeX and other fonts alone know, or stop at.
    """
    rc = "text.usetex: True\nfont.family: Nonsense\nbackend: gtk9\nno.such.key: 1\n"
    (tmp_path / "matplotlibrc").write_text(rc)
    user = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "PYTHONWARNINGS": "error"}
    title = r"‖ρ₁‖ 漢字 🎉 \frac{$x_1^ costs $5 and \$6 _^{" + "\u0007"
    run_sweep(recovery_sweep("k=2,4", "m=3,5", "trials=1", title=title), tmp_path / "s.zarr")
    ended = subprocess.run(
        [GENPRIOR, "plot", "s.zarr", "-o", "x.pdf"], env={**os.environ, **user}, cwd=tmp_path,
        timeout=200, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    letters = (tmp_path / "x.pdf").read_bytes()
    assert b"/Type3" not in letters
    assert b"/TrueType" in letters or b"/CIDFontType2" in letters
    figure = draw(read_info(tmp_path / "s.zarr"))
    assert r"\frac{\$x_1^ costs \$5 and \\$6 _^{" in figure.get_suptitle().replace("\n", " ")


def test_a_matplotlibrc_that_is_no_text_is_named(tmp_path: Path, undisturbed: Path) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe\x00")
    ended = subprocess.run([GENPRIOR, "plot", undisturbed], cwd=tmp_path, timeout=200,
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith("genprior: matplotlibrc: ")
    assert ended.stderr.count("\n") == 1


def test_own_settings_of_a_notebook_stay(undisturbed: Path) -> None:
    with mpl.rc_context({"font.size": 31, "text.usetex": True}):
        figure = draw(read_info(undisturbed))
        assert mpl.rcParams["font.size"] == 31
    assert figure.texts[0].get_fontsize() == 10
    assert not any(text.get_usetex() for text in figure.findobj(Text))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--size", "8"], "--size 8"),
        (["--size", "0x3"], "--size 0x3"),
        (["--size", "nanxinf"], "--size nanxinf"),
        (["--size", "1.2.3x4"], "--size 1.2.3x4"),
        (["--size", "1.5x1"], "--size 1.5x1"),
    ],
)
def test_a_size_that_is_none_is_refused_in_one_line(
    genprior: Command, undisturbed: Path, tmp_path: Path, options: list[str], named: str
) -> None:
    result = genprior("plot", undisturbed, "-o", tmp_path / "x.png", *options)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"genprior: {named}: ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "x.png").exists()


def test_size_and_title_are_as_asked(genprior: Command, undisturbed: Path, tmp_path: Path) -> None:
    """160 pixels an inch."""
    result = genprior("plot", undisturbed, "-o", tmp_path / "x.png", "--size", "4x3.5")
    assert result.exit_code == 0
    assert mpl.image.imread(tmp_path / "x.png").shape[:2] == (560, 640)
    assert draw(read_info(undisturbed), Look(title=False)).get_suptitle() == ""


def test_a_logarithmic_axis_needs_positive_numbers(
    genprior: Command, kind: Scripted, store: Path, tmp_path: Path
) -> None:
    axes = {"k": [2], "m": [3], "noise.sigma": [0, 0.1]}
    sweep = tiny_sweep(axes=axes, fit={"along": "noise.sigma"}, trials=1)
    run_sweep(sweep, store, kind=kind)
    result = genprior("plot", store, "--log", "-o", tmp_path / "x.png")
    assert result.exit_code == 2
    assert_names(result.stderr, "--log", "'noise.sigma'", "0")
    text = {"axes": {"widths": [[9], [8]]}, "parameters": {"k": 2, "m": 3, "depth": 1}}
    for other, changes in (("text", {**text, "fit": {}}),
                           ("comparison", {"compare": {"over": "k"}, "fit": {}})):  # fmt: skip
        path = store.with_name(f"{other}.zarr")
        run_sweep(tiny_sweep(**{"trials": 1, **changes}), path, kind=kind)
        result = genprior("plot", path, "--log", "-o", tmp_path / "x.png")
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_log_makes_the_axis_below_logarithmic(undisturbed: Path) -> None:
    assert draw(read_info(undisturbed)).axes[0].get_xscale() == "linear"
    assert draw(read_info(undisturbed), Look(log=True)).axes[0].get_xscale() == "log"


def test_cells_of_values_on_a_logarithmic_scale_are_even() -> None:
    """2, 4, 8 have cells from √2 to 2√2, 4√2 and 8√2; 4, 7, 10 from 2.5 to 5.5, 8.5 and 11.5."""
    edges = cell_edges(np.array([2, 4, 8]), log=True)
    np.testing.assert_allclose(edges, np.sqrt(2) * np.array([1, 2, 4, 8]))
    np.testing.assert_allclose(cell_edges(np.array([4, 7, 10]), log=False), [2.5, 5.5, 8.5, 11.5])
    np.testing.assert_allclose(cell_edges(np.array([0.01]), log=False), [0.005, 0.015])
    np.testing.assert_allclose(cell_edges(np.array([0]), log=False), [-0.5, 0.5])


@pytest.mark.parametrize(
    ("values", "geometric"),
    [
        (DOUBLING, True),
        ([0.002, 0.005, 0.01, 0.02], True),
        ([5, 10, 20], False),  # no more than fourfold
        ([4, 8, 12, 16, 20, 24, 28, 32, 36, 40], False),
        ([0, 1, 10, 100], False),
        ([-1, 10, 100], False),
    ],
)
def test_which_values_make_an_axis_logarithmic(values: list[float], geometric: bool) -> None:
    assert is_geometric(np.array(values)) == geometric


def test_ticks_of_a_map_lie_at_its_values(undisturbed: Path) -> None:
    panel = draw(read_info(undisturbed)).axes[0]
    assert panel.get_xticks().tolist() == [2, 4, 6]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["3", "5", "7", "9"]


@pytest.mark.slow
def test_values_of_an_axis_are_drawn_in_ascending_order(store: Path, kind: Scripted) -> None:
    """Trials are the same in whatever order an axis is written, and so are their pictures."""
    run_sweep(tiny_sweep("k=6,2,4", "m=9,3,7,5"), store, kind=kind)
    run_sweep(tiny_sweep(), store.with_name("ordered.zarr"), kind=kind)
    shown, ordered = (
        draw(read_info(path)).axes[0].collections[0].get_array()
        for path in (store, store.with_name("ordered.zarr"))
    )
    np.testing.assert_array_equal(shown, ordered)


@pytest.mark.slow
def test_a_50_percent_point_is_drawn_where_it_is_known(undisturbed: Path) -> None:
    """NaN where it is not; an end of its interval that is not known is the axis's."""
    info = read_info(undisturbed)
    fitted = Transition().compute(Request(info)).load()
    fitted["p50"][:] = [np.nan, 5.0, 6.0]
    fitted["p50_low"][:] = [np.nan, np.nan, 5.5]
    fitted["p50_high"][:] = [4.0, 6.0, 99.0]
    with own_style():
        panel = draw_maps(info, fitted, "k", "m", Look()).axes[0]
        *bars, _, points = panel.lines
        assert [list(bar.get_ydata()) for bar in bars] == [[2.0, 6.0], [5.5, 10.0]]
        assert points.get_ydata().tolist()[1:] == [5, 6]
        figure = draw_curves(info, fitted, "m", Look())
        marks = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
        assert [mark.get_xdata()[0] for mark in marks] == [5, 6]
        assert len({mark.get_ydata()[0] for mark in marks}) == 2, "their intervals would meet"
        assert len({mark.get_color() for mark in marks}) == 2
        fitted["p50"][:] = np.nan
        for figure in (draw_curves(info, fitted, "m", Look()),
                       draw_maps(info, fitted, "k", "m", Look())):  # fmt: skip
            assert "50 %" not in figure.get_supxlabel()


def test_what_is_not_drawn_has_no_place_in_the_legend(store: Path, kind: Scripted) -> None:
    sweep = tiny_sweep("k=2,4", exclude=["k == 4"])
    run_sweep(sweep, store, kind=kind)
    figure = draw(read_info(store))
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["$k$ = 2"]
    assert "not run: $k$ = 4" in figure.get_supxlabel()


def test_lines_break_at_spaces_but_not_in_formulas() -> None:
    assert wrapped("one two $a + b$ three", 7, len) == "one two\n$a + b$\nthree"
    assert wrapped("a/folder/file.npz", 8, len) == "a/\nfolder/\nfile.npz"
    assert wrapped(literal("$" * 4), 4, len) == "\\$\\$\n\\$\\$"
    assert wrapped("one two three", 5, len, most=2) == "one\ntwo …"


@pytest.mark.slow
def test_shares_of_several_curves_lie_side_by_side(undisturbed: Path) -> None:
    """Every group has the share ½ at every position, and every mark can be seen."""
    info = read_info(undisturbed)
    fitted = Transition().compute(Request(info)).load()
    fitted["successes"][:] = fitted["runs"] // 2
    with own_style():
        figure = draw_curves(info, fitted, "m", Look())
        panel = figure.axes[0]
        figure.draw_without_rendering()
        marks = np.concatenate([
            line.get_transform().transform(line.get_xydata())
            for line in panel.lines
            if line.get_marker() not in ("None", "", None, "D", "|")
        ])  # fmt: skip
    apart = [np.abs(one - other).max() for one, other in combinations(marks, 2)]
    assert len(marks) == fitted["runs"].size
    assert min(apart) > 4, "in pixels"


def test_the_axes_of_a_law_hold_the_medians_of_every_curve(store: Path, kind: Scripted) -> None:
    """The second curve is a hundred times lower, and has no line."""
    settings = {"axes": {"k": [2, 3], "m": [4, 8, 16]}, "fit": {}, "trials": 9,
                "law": {"variable": "latent_error", "exponents": {"m": -0.5}}}  # fmt: skip
    run_sweep(tiny_sweep(**settings), store, kind=kind)
    info = read_info(store)
    fitted = Law().compute(Request(info)).load()
    for name in ("median", "median_low", "median_high"):
        fitted[name][:] = 1.0
        fitted[name].loc[{"k": 3}] = 0.01
    fitted["constant"].loc[{"k": 3}] = np.nan
    with own_style():
        low, high = draw_law(info, fitted, Look()).axes[0].get_ylim()
    assert low < 0.01 < 1 < high
