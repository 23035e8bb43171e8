"""The section on processes and the guide's table say what the figures say, which are what they claim."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import processes, processes_page

ROOT = Path(__file__).resolve().parents[2]

SCORES = ("crps", "energy")
BASE = 1.0 + 0.1 * np.sin(np.arange(12) * np.pi / 6)


def runs(*factors, spectrum=None):
    """An arm whose scores are those of the base, times one number a seed."""
    more = {} if spectrum is None else {"spectrum": spectrum}
    told = {"coverage": 0.9, "best_step": 3, "cpu_seconds": 60.0, **more}
    return {
        str(seed): {"crps": (factor * BASE).tolist(), "energy": (2 * factor * BASE).tolist(), **told}
        for seed, factor in enumerate(factors)
    }


def study(name, **arms):
    return {"name": name, "note": "waves", "horizon": 3, "words": ["holdout=9"], "members": 5, "arms": arms}


PLAIN, BARE = "process=plain", "process=plain anchor=none"
FLOW = study(
    "flow",
    **{
        "default": runs(0.8, 0.9, 1.0, spectrum=0.25),
        PLAIN: runs(1.0, 1.0, 1.1, spectrum=0.5),
        "process.floor=0.7": runs(1.1, 1.1, 1.2, spectrum=0.5),
        "anchor=none": runs(0.5, 0.5),
        BARE: runs(1.0, 1.0),
    },
)
TAXI = study("taxi", default=runs(1.0, 1.1), **{PLAIN: runs(0.9, 1.2)})


def test_windows_and_seeds_both_widen_an_interval():
    from rheos.score.bootstrap import skill

    # Windows that all say the same: the interval is Student's over seeds, of 3.1 / 3 against 2.7 / 3.
    sure = processes_page.gain(FLOW, "default", PLAIN)
    each = np.array([0.2, 0.1, 1 - 1 / 1.1])
    half = 2.919986 * each.std(ddof=1) / np.sqrt(3)
    assert sure.value == pytest.approx(1 - 2.7 / 3.1)
    assert (sure.low, sure.high) == pytest.approx((sure.value - half, sure.value + half))
    # Seeds that all say the same: the interval is the bootstrap's.
    one = [{"crps": row.tolist()} for row in (BASE, BASE**2)]
    both = study("two", **{name: {"0": row, "1": row} for name, row in zip("ab", one, strict=True)})
    assert processes_page.gain(both, "a", "b").low == pytest.approx(skill(BASE, BASE**2).low)
    assert processes_page.gain(both, "a", "b").high == pytest.approx(skill(BASE, BASE**2).high)
    # Seeds that disagree, however sure the windows are.
    torn = processes_page.gain(TAXI, PLAIN, "default")
    assert torn.value == pytest.approx(0.0)
    assert torn.verdict == "not told apart"


def test_a_difference_counts_where_its_interval_leaves_zero_out():
    assert processes_page.Gain(0.1, 0.05, 0.2).verdict == "better"
    assert processes_page.Gain(0.1, -0.01, 0.2).verdict == "not told apart"
    assert processes_page.Gain(-0.1, -0.2, 0.01).verdict == "not told apart"
    assert processes_page.Gain(-0.1, -0.2, -0.05).verdict == "worse"


def test_only_seeds_that_both_have_are_compared():
    one = processes_page.gain(FLOW, "anchor=none", "default")
    assert one.value == pytest.approx(1 - 1.0 / 1.7)
    assert processes_page.gain(TAXI, "anchor=none", "default") is None


def test_frame_mixing_is_compared_with_plain_diffusion_all_else_the_same():
    text = processes_page.section([FLOW, TAXI])
    less, half = (str(processes_page.gain(FLOW, arm, PLAIN)) for arm in ("process.floor=0.7", "default"))
    assert (less[:7], half[:10]) == ("_-9.7%_", "**+12.9%**")
    assert f"| flow | clean history | 1.0333 | {less} | {half} | {less} | {half} |" in text
    pooled = processes_page.pooled(
        [processes_page.Gain(0.1, 0.07, 0.12), processes_page.Gain(0.3, 0.26, 0.3)]
    )
    assert (pooled.value, pooled.low, pooled.high) == pytest.approx((0.2, 0.175, 0.21))
    both = [processes_page.gain(one, "default", PLAIN) for one in (FLOW, TAXI)]
    assert f"| mean of 2 sets | clean history |  |  | {processes_page.pooled(both)} |" in text
    assert "| flow | clean history, no anchor | 1.0000 |  | **+50.0%** (+50.0% to +50.0%) |  |" in text
    assert (
        "- floor 0.5 against plain diffusion, clean history: better on flow; not told apart on taxi." in text
    )
    assert "- floor 0.7 against plain diffusion, clean history: worse on flow." in text
    assert "diffused" not in text.partition("What frame mixing gains")[2].partition("Spectra")[0]


def test_studies_with_the_default_network_have_a_table_of_their_own():
    large = {**FLOW, "name": f"flow{processes.WHOLE}"}
    text = processes_page.section([FLOW, large, TAXI])
    first, _, second = text.partition("Spectra")[0].partition("The same with the default network")
    assert "| flow | clean history |" in first
    assert "| mean of 2 sets | clean history |" in first
    assert "flow_whole | clean" not in first
    assert "| flow_whole | clean history |" in second
    told = [str(processes_page.gain(FLOW, "process.floor=0.7", "default", score)) for score in SCORES]
    assert f"- flow_whole, floor 0.7 against 0.5: {told[0]} in CRPS, {told[1]} in energy score." in second
    assert "The same with the default network" not in processes_page.section([FLOW, TAXI])


def test_spectra_are_of_fields_alone_and_every_arm_has_its_row():
    text = processes_page.section([FLOW, TAXI])
    spectra = text.partition("Spectra on flow")[2].partition("Every recipe")[0]
    assert "| default | 0.2500 (0.2500 to 0.2500) | 0.9000 | 1.8000 |" in spectra
    assert "anchor=none" not in spectra
    assert "Spectra on taxi" not in text
    assert "| default | 0.9000 (25.0%) | 1.0500 (10.0%) |" in text
    told = (str(processes_page.gain(one, PLAIN, "default")) for one in (FLOW, TAXI))
    assert f"| `process=plain` | {' | '.join(told)} |" in text
    assert "Seeds of each: 2 or 3. Of 17 fits 0 kept" in text
    assert "all took 17 minutes" in text


def test_the_guide_puts_the_greatest_gain_first():
    found = processes_page.guide([FLOW, TAXI])
    assert [line.split("`")[1] for line in found[2:]] == [
        "anchor=none",
        PLAIN,
        BARE,
        "process.floor=0.7",
    ]
    assert found[2] == "| `anchor=none` | flow +41.2% |  |  |"
    assert found[3] == "| `process=plain` |  | flow -14.8% | taxi +0.0% |"


def test_the_guide_on_its_page_is_that_of_the_kept_figures(tmp_path):
    page = tmp_path / "process.md"
    text = (ROOT / "docs" / "tasks" / "process.md").read_text(encoding="utf-8")
    page.write_text(text, encoding="utf-8")
    processes_page.write_guide(ROOT / "benchmarks" / "results", page)
    assert page.read_text(encoding="utf-8") == text
    small, _ = processes_page.by_network(processes_page.kept(ROOT / "benchmarks" / "results"))
    assert all(line in text for line in processes_page.guide(small))
    assert "vic_elec_whole" not in text.partition(processes_page.BEGIN)[2]


def test_what_the_guide_says_in_words_is_what_was_measured():
    every = {one["name"]: one for one in processes_page.kept(ROOT / "benchmarks" / "results")}
    by_name = {name: one for name, one in every.items() if not name.endswith(processes.WHOLE)}
    less, flow, diffused = "process.floor=0.7", "process=rectified_flow", "process.history=diffused"

    def verdict(name, arm, rival, score="crps"):
        return processes_page.gain(by_name[name], arm, rival, score).verdict

    assert all(verdict("turbulence", one, PLAIN, s) == "better" for one in (less, "default") for s in SCORES)
    flows = by_name["turbulence"]["arms"]
    error = {arm: np.mean([found["spectrum"] for found in flows[arm].values()]) for arm in flows}
    assert max(error[less], error["default"]) < min(error[PLAIN], error[flow])
    assert verdict("vic_elec", "default", PLAIN, "energy") == "worse"
    assert all(verdict("vic_elec", less, "default", score) == "better" for score in SCORES)
    for name in by_name:
        assert verdict(name, flow, PLAIN) == "not told apart"
        assert verdict(name, less, PLAIN) != "worse"
        assert name == "vic_elec" or verdict(name, less, "default") == "not told apart"
    whole = every["vic_elec_whole"]
    assert all(processes_page.gain(whole, "default", PLAIN, score).verdict == "better" for score in SCORES)
    assert all(
        processes_page.gain(whole, less, rival).verdict == "not told apart" for rival in (PLAIN, "default")
    )
    over = [processes_page.gain(one, less, PLAIN) for one in by_name.values()]
    assert processes_page.pooled(over).verdict == "better"
    assert verdict("turbulence", "anchor=none", "default") == "worse"
    for name in by_name:
        told = "worse" if name == "turbulence" else "not told apart"
        assert verdict(name, "process.noise=measured", "default") == told
    for word in ("edm", "pfgmpp", "mean_reverting", "gaussian_process"):
        assert verdict("elnino", f"process={word}", PLAIN) == "not told apart"
    for name in ("elnino", "turbulence"):
        assert verdict(name, diffused, "default") == "worse"
    assert verdict("vic_elec", diffused, "default") == "not told apart"
    for name in ("elnino", "turbulence", "vic_elec"):
        assert verdict(name, "anchor=none", BARE) == "not told apart"
        assert processes_page.gain(by_name[name], "anchor=none", "default").value < -0.09


def test_every_arm_has_a_recipe_that_validates_and_a_twin_where_floors_are_compared():
    from rheos.forecast.forecaster import options
    from rheos.forecast.override import build
    from rheos.forecast.recipe import Recipe

    for words in processes.ARMS.values():
        build(Recipe, {**options(None, list(words)), "horizon": 3, "history": 4}, "the recipe")
    for shared in processes_page.SHARED.values():
        for more in (("process=plain",), *processes_page.FLOORS.values()):
            assert set(processes.ARMS[processes_page.arm_of(*more, *shared)]) == {*more, *shared}


SMALL = (
    "training.steps=2", "training.checks=1", "training.batch=4", "network.width=8", "network.depth=1",
    "network.heads=1", "block=10", "holdout=24", "history=12",
)  # fmt: skip


def waves():
    from rheos.data.dataset import Dataset, Layout, Recording

    frame = np.arange(120)
    values = np.stack([np.sin(frame / 2), 50 + 30 * np.cos(frame / 3)], 1)
    values += np.random.default_rng(0).normal(size=values.shape) * [0.1, 3.0]
    return Dataset(layout=Layout(channels=("a", "b")), recordings=(Recording.of(values.astype(np.float32)),))


def test_scores_are_those_of_a_backtest(monkeypatch):
    import rheos

    dataset, words, made, fit = waves(), (*SMALL, *processes.ALWAYS), [], rheos.fit
    monkeypatch.setattr(rheos, "fit", lambda *args, words: made.append(fit(*args, words=words)) or made[-1])
    case = processes.Study(lambda _: dataset, 4, SMALL, "waves", members=10, windows=5)
    found = processes.scored(case, dataset, words)
    card = rheos.backtest(made[0], dataset, windows=5, members=10, baselines=())
    assert found["crps"] == pytest.approx(card.per_window("rheos"), rel=1e-5)
    assert found["coverage"] == pytest.approx(card.scores()["rheos"]["coverage_90"], rel=1e-5)
    assert "spectrum" not in found


def test_energy_and_spectrum_are_their_definitions():
    rng = np.random.default_rng(0)
    members, truth = rng.normal(size=(6, 3, 1, 8, 8)), rng.normal(size=(3, 1, 8, 8))
    flat = members.reshape(6, -1)
    away = np.mean([np.linalg.norm(x - truth.ravel()) for x in flat])
    between = np.mean([np.linalg.norm(x - y) for i, x in enumerate(flat) for y in flat[:i]])
    assert processes._joint(members, truth) == pytest.approx((away - between / 2) / np.sqrt(192))
    # Twice the field is four times the energy, at every lead and wave number.
    drawn = np.stack([2 * truth] * 5)[None]
    assert processes._spectrum(drawn, truth[None]) == pytest.approx(np.log10(4))


def test_what_was_measured_is_kept_and_other_settings_are_refused(tmp_path, monkeypatch):
    asked = []

    def measured(case, dataset, words):
        asked.append(words)
        return {"crps": [1.0, 2.0]}

    case = processes.Study(lambda _: waves(), 4, ("holdout=24",), "waves", arms=2)
    absent = processes.Study(lambda _: None, 4, (), "absent")
    monkeypatch.setattr(processes, "STUDIES", {"waves": case, "gone": absent})
    monkeypatch.setattr(processes, "scored", measured)
    monkeypatch.setattr(processes, "FIRST", 1)
    processes.run(tmp_path, ["waves", "gone"], tmp_path, seeds=(1, 2))
    assert [words[1:] for words in asked] == [
        ("seed=0", "calibration=none"),
        ("seed=1", "calibration=none"),
        ("process=plain", "seed=0", "calibration=none"),
    ]
    processes.run(tmp_path, ["waves"], tmp_path, seeds=(2, 3))
    assert len(asked) == 5
    monkeypatch.setitem(processes.STUDIES, "waves", processes.Study(lambda _: waves(), 5, (), "waves"))
    with pytest.raises(SystemExit, match="other settings"):
        processes.run(tmp_path, ["waves"], tmp_path)
