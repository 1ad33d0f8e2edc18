"""Plots of what the commands found. They need matplotlib, which is optional."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qkd.detection.power import Scores


class PlotUnavailable(Exception):
    """matplotlib is not installed."""


def _figure(beside: int = 1, rows: int = 1) -> tuple[Any, Any]:
    if find_spec("matplotlib") is None:
        raise PlotUnavailable("--plot needs matplotlib (pip install matplotlib)")
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - optional
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional

    figure = Figure(figsize=(8 if beside == 1 else 4 * beside, 1 + 4 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    if beside == rows == 1:
        return figure, figure.subplots()
    return figure, list(figure.subplots(rows, beside, sharey="row").flat)


def draw_rates(path: str, distances_km: Sequence[float], curves: Mapping[str, Sequence[float]]) -> None:
    """Draw secret bits per pulse over distance, on a logarithmic scale, into a file.

    Raises:
        PlotUnavailable: matplotlib is not installed.
    """
    figure, axes = _figure()
    for name, values in curves.items():
        points = [
            (km, value) for km, value in zip(distances_km, values, strict=True) if 0 < value < float("inf")
        ]
        axes.plot(*zip(*points, strict=True), "k--" if name == "PLOB" else "-", label=name)
    axes.set(xlabel="fibre, km", ylabel="secret bits per pulse", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)


def draw_attack(path: str, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw QBER and Eve's information over the fraction attacked, into a file.

    Raises:
        PlotUnavailable: matplotlib is not installed.
    """
    figure, axes = _figure()
    fractions = [row["fraction"] for row in rows]
    axes.plot(fractions, [row["qber"] for row in rows], "o-", label="QBER")
    axes.plot(
        fractions, [row["eve_information"] for row in rows], "s-", label="Eve's information, bit per bit"
    )
    axes.axhline(0.11, color="k", linestyle="--", label="11 %")
    axes.set(xlabel="fraction of the pulses attacked", title=kind.replace("_", " "), ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)


def draw_bits(path: str, lengths: Mapping[str, int]) -> None:
    """Draw where the bits of a session went, on a logarithmic scale, into a file.

    Raises:
        PlotUnavailable: matplotlib is not installed.
    """
    figure, axes = _figure()
    names = [name for name, count in lengths.items() if count]
    bars = axes.barh(names, [lengths[name] for name in names])
    axes.bar_label(bars, [f"{lengths[name]:,}" for name in names], padding=3)
    axes.set(xlabel="bits", xscale="log")
    axes.margins(x=0.2)
    axes.invert_yaxis()
    figure.savefig(path)


def draw_levels(path: str, drawn: Sequence[tuple[str, str, "Scores"]]) -> None:
    """Draw what levels are worth, by link, into a file.

    Above, how often honest sessions are found at a stated level, which must not exceed it; below, how often those of each
    eavesdropper are, over how often honest ones are (ROC). Dotted are the tests that convict nobody.

    Raises:
        PlotUnavailable: matplotlib is not installed.
    """
    levels = [10 ** (step / 10) for step in range(-80, 1)]
    links = list(dict.fromkeys(link for link, _, _ in drawn))
    figure, grid = _figure(len(links), rows=2)
    for index, link in enumerate(links):
        stated, roc = grid[index], grid[len(links) + index]
        cells = {shown: found for name, shown, found in drawn if name == link}
        honest = cells.pop("none")
        spread = [2 * (level / honest.convicting.size) ** 0.5 for level in levels]
        low = [max(1e-9, level - far) for level, far in zip(levels, spread, strict=True)]
        high = [level + far for level, far in zip(levels, spread, strict=True)]
        stated.fill_between(
            levels, low, high, color="k", alpha=0.1, linewidth=0, label="chance of these draws: 2 deviations"
        )
        stated.plot([1e-5, 1], [1e-5, 1], "k--", linewidth=0.8, label="stated")
        stated.set(
            title=link, xlabel="stated level", xscale="log", yscale="log", xlim=(1e-5, 1), ylim=(1e-5, 1)
        )
        roc.set(xlabel="honest sessions found", xscale="log", xlim=(1e-4, 1), ylim=(-0.03, 1.03))
        for tests, style in (("convicting", "-"), ("others", ":")):
            false = [honest.below(level, tests) for level in levels]
            _along(stated, levels, false, style, label=tests, color="C0")
            for color, (shown, found) in enumerate(cells.items()):
                true = [found.below(level, tests) for level in levels]
                label = shown.replace("_", " ") if style == "-" else None
                _along(roc, false, true, style, label=label, color=f"C{color + 1}")
        for axes in (stated, roc):
            axes.grid(alpha=0.3)
    grid[0].set(ylabel="honest sessions found")
    grid[len(links)].set(ylabel="attacked sessions found")
    grid[0].legend(fontsize="small")
    figure.legend(*grid[-1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(path)


def _along(axes: Any, x: Sequence[float], y: Sequence[float], style: str, **how: Any) -> None:
    """Draw a curve; points at nothing have no place on a logarithmic axis."""
    points = [(a, b) for a, b in zip(x, y, strict=True) if a > 0]
    axes.plot([a for a, _ in points], [b for _, b in points], style, **how)


def draw_power(path: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw the part of the sessions that are convicted or flagged over the fraction attacked, into a file.

    Raises:
        PlotUnavailable: matplotlib is not installed.
    """
    links = list(dict.fromkeys(row["channel"] for row in rows))
    figure, grid = _figure(len(links))
    grid = grid if len(links) > 1 else [grid]
    for axes, link in zip(grid, links, strict=True):
        kinds = dict.fromkeys(row["kind"] for row in rows if row["fraction"])
        for kind in kinds:
            cells = [row for row in rows if row["kind"] == kind and row["channel"] == link]
            fractions = [row["fraction"] for row in cells]
            (line,) = axes.plot(
                fractions, [row["convicted"] for row in cells], "o-", label=kind.replace("_", " ")
            )
            axes.plot(fractions, [row["flagged"] for row in cells], ":", color=line.get_color())
        axes.set(title=link, xlabel="fraction of the pulses attacked", ylim=(-0.03, 1.03))
        axes.grid(alpha=0.3)
    grid[0].set(ylabel="sessions convicted (dotted: flagged)")
    grid[-1].legend(fontsize="small")
    figure.savefig(path)
