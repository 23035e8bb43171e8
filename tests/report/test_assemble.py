"""What the page shows is what was measured: numbers of a backtest, made again from its ensembles."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "forecast"))

import tiny

from rheos.evaluation.backtest import backtest
from rheos.report.assemble import Album, chapter
from rheos.score import covered, crps

torch.set_num_threads(1)
SOURCE = tiny.table()
VALUES = SOURCE[["a", "b"]].to_numpy()


@pytest.fixture(scope="module")
def made():
    """A model, its scorecard, all its windows and its chapter."""
    model = tiny.fitted(SOURCE, (*tiny.SERIES, "holdout=41"))
    cases, album = [], Album(10)

    def keep(case):
        cases.append(case)
        album(case)

    card = backtest(model, SOURCE, members=7, quality="fast", keep=keep)
    content = chapter(model, title="walks", scorecard=card, dataset=model.read(SOURCE), cases=album.cases)
    return model.model, card, cases, album, content


def test_the_first_a_middle_and_the_last_window_are_pictured(made):
    _, _, cases, album, _ = made
    assert [case.origin for case in album.cases] == [cases[i].origin for i in (0, 4, 9)]


def test_scores_by_lead_are_those_of_the_ensembles(made):
    model, _, cases, _, content = made
    ensembles, truth = (np.stack([getattr(c, name) for c in cases]) for name in ("ensemble", "truth"))
    error = ((ensembles.mean(1) - truth) / model.scale) ** 2
    variance = 8 / 7 * ensembles.var(1, ddof=1) / model.scale**2
    assert content.leads.error == pytest.approx(np.sqrt(error.mean((0, 2))))
    assert content.leads.spread == pytest.approx(np.sqrt(variance.mean((0, 2))))
    scores = np.stack([crps(c.ensemble, c.truth) / model.scale for c in cases])
    assert content.leads.crps["rheos"] == pytest.approx(scores.mean((0, 2)))
    assert content.leads.lead.tolist() == [1, 2, 3, 4]
    assert content.window_scores.rheos == pytest.approx(scores.mean((1, 2)))


def test_ranks_and_coverage_are_those_of_the_ensembles(made):
    _, _, cases, _, content = made
    below = np.stack([(c.ensemble < c.truth).sum(0) for c in cases])
    # Seven members leave eight ranks; each bin has of a rank as much as it overlaps.
    edges = np.linspace(0, 1, 21)
    share = np.zeros(20)
    for rank in range(8):
        inside = np.minimum(edges[1:], (rank + 1) / 8) - np.maximum(edges[:-1], rank / 8)
        share += 8 * np.maximum(inside, 0) * (below == rank).sum()
    assert content.ranks.counts / content.ranks.counts.sum() == pytest.approx(share / share.sum())
    assert content.ranks.independent_cases == 10 * 2
    for level, observed in zip(content.coverage.nominal, content.coverage.after, strict=True):
        assert observed == pytest.approx(np.mean([covered(c.ensemble, c.truth, level) for c in cases]))


def test_the_verdict_is_against_the_best_of_the_baselines(made):
    _, card, _, _, content = made
    means = {name: card.per_window(name).mean() for name in card.tallies}
    ours = means.pop("rheos")
    best = min(means, key=means.get)
    assert content.verdict.baseline == content.window_scores.baseline_name == best.replace("_", " ")
    assert content.verdict.skill == pytest.approx(1 - ours / means[best])
    assert content.window_scores.baseline == pytest.approx(card.per_window(best))
    assert content.cost.forecast_seconds == pytest.approx(card.seconds / 10)


def test_a_fan_joins_what_was_known_to_what_came(made):
    _, _, cases, _, content = made
    first = cases[0]
    assert [fan.channel for fan in content.fans] == ["a", "b"]
    for channel, fan in enumerate(content.fans):
        known, came = slice(first.origin - 8, first.origin), slice(first.origin, first.origin + 4)
        for part, time, values in ((known, fan.history_time, fan.history), (came, fan.time, fan.truth)):
            assert values == pytest.approx(VALUES[part, channel], rel=1e-6)
            assert list(time) == list(SOURCE["time"].to_numpy()[part])
        assert np.array_equal(fan.members, first.ensemble[:, :, channel])
