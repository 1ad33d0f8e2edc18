"""The command line: figures for people and machines, pictures where asked, clear refusals."""

import json

import pytest

from qkd.__main__ import EXIT_NO_KEY, main
from qkd.cli import FIGURES
from tests import requirement


def document(capsys, *arguments, status=0):
    assert main([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


@requirement("A5")
def test_plan_says_pulses_bias_intensities_and_time(capsys):
    # The same as of the session below, which the search for its light serves, too
    link = ("--channel", "lim2014", "--key-length", "256")
    planned = document(capsys, "plan", *link, "--pulse-rate", "1e8")
    assert planned["feasible"]
    assert planned["seconds"] == pytest.approx(planned["pulses"] / 1e8)
    assert planned["channel"]["intensities"] == [0.4, 0.1, 2e-4]
    better = document(capsys, "plan", *link, "--optimise")
    assert better["pulses"] < 0.9 * planned["pulses"]
    assert main(["plan", *link]) == 0
    assert "intensities 0.4 (25.0%)" in capsys.readouterr().out


@requirement("A5")
def test_plan_refuses_with_the_limit(capsys):
    assert main(["plan", "--channel", "metro_50km", "--distance", "400"]) == EXIT_NO_KEY
    refusal = capsys.readouterr().out
    assert "at 400 km with these detectors: the limit is" in refusal
    limit = float(refusal.split("limit is ")[1].split(" km")[0])
    assert main(["plan", "--channel", "metro_50km", "--distance", str(limit - 2)]) == 0
    assert main(["plan", "--channel", "metro_50km", "--distance", str(limit + 2)]) == EXIT_NO_KEY


@requirement("A5", "A6")
def test_an_optimised_session_reaches_its_key(capsys):
    ledger = document(
        capsys, "run", "--channel", "lim2014", "--optimise", "--key-length", "256", "--seed", "1"
    )
    assert ledger["lengths"]["final"] == 256
    assert ledger["lengths"]["authentication"] > 0


@requirement("A6")
def test_rate_redraws_ma2005(capsys, tmp_path):
    picture = tmp_path / "ma.png"
    found = document(capsys, "rate", "--figure", "ma2005", "--step", "50", "--plot", str(picture))
    assert found["distances_km"] == [0, 50, 100, 150]
    assert found["rates"]["infinite decoys"][-1] == 0 < found["rates"]["infinite decoys"][-2]
    assert picture.read_bytes().startswith(b"\x89PNG")


@requirement("A6")
def test_rate_redraws_lim2014(capsys, monkeypatch):
    curves, _ = FIGURES["lim2014"]
    monkeypatch.setitem(FIGURES, "lim2014", (curves, 100.0))  # as far as is looked at
    found = document(capsys, "rate", "--figure", "lim2014", "--step", "100")
    at_100 = [found["rates"][f"block of 10^{power}"][1] for power in range(4, 10)]
    assert at_100 == sorted(at_100)
    assert 0 < at_100[0] < at_100[-1] < found["rates"]["PLOB"][1]


@requirement("A6")
def test_attack_sweeps_the_fraction(capsys, tmp_path):
    picture = tmp_path / "attack.svg"
    found = document(capsys, "attack", "--points", "3", "--seed", "1", "--plot", str(picture))
    assert [row["fraction"] for row in found["rows"]] == [0, 0.5, 1]
    assert found["rows"][2]["qber"] == pytest.approx(0.26, abs=0.04)
    assert found["rows"][2]["eve_information"] == pytest.approx(0.5, abs=0.05)
    assert "<svg" in picture.read_text()


@requirement("A4")
def test_run_draws_where_the_bits_went(capsys, tmp_path):
    picture = tmp_path / "bits.png"
    assert (
        main(["run", "--seed", "1", "--plot", str(picture), "--attack", "noise", "--fraction", "0.01"]) == 0
    )
    out = capsys.readouterr().out
    assert "round trips" in out
    assert "Eve knows 0 sifted bits" in out
    assert picture.stat().st_size > 1000


@requirement("A4")
def test_bench_reports_every_case(capsys):
    rows = document(capsys, "bench", "--quick")
    assert {"pulses/s", "Mbit/s"} <= {row["unit"].split("  ")[0] for row in rows}
    assert any("numba" in row["what"] for row in rows)


@requirement("A4")
def test_a_missing_matplotlib_is_said(capsys, monkeypatch):
    monkeypatch.setattr("qkd.plots.find_spec", lambda _: None)
    with pytest.raises(SystemExit):
        main(["rate", "--step", "100", "--plot", "x.png"])
    assert "pip install matplotlib" in capsys.readouterr().err


@requirement("A4")
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["run", "--distance", "10"], "distance"),
        (["run", "--kernel", "quantum"], "kernel"),
        (["plan", "--pulse-rate", "0"], "pulse-rate"),
        (["rate", "--step", "0"], "step"),
        (["attack", "--points", "1"], "points"),
        (["run", "--attack", "breidbart", "--no-blocking"], "blocking"),
    ],
)
def test_bad_options_are_refused_by_name(arguments, name, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert name in capsys.readouterr().err
