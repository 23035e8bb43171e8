"""What is missing of a training clip's future is drawn from the law given what was seen, and never counts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tiny
import torch

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.data.circle import Circle
from rheos.data.reader import read
from rheos.data.window_source import WindowSource
from rheos.denoise import Objective, TokenDenoiser
from rheos.forecast.fitting import Fitting
from rheos.forecast.imputation import Imputation
from rheos.forecast.reflow import paired

PAST, LEADS = 2, 5
SEEN = np.array([True, False, True, False, False])


def covariance(size, persistence):
    lag = np.abs(np.subtract.outer(np.arange(LEADS), np.arange(LEADS)))
    return size[:, None] * persistence**lag * size


SIZE = np.array([0.5, 0.8, 1.0, 1.2, 1.1])
LAWS = np.stack([covariance(SIZE, 0.9), covariance(np.full(LEADS, 2.0), -0.5)])


def clips(rows, mask, errors):
    """Clips whose errors these are `(rows, LEADS, 2)`, their anchors far from 0 and their scales from 1."""
    shape = (rows, PAST + LEADS, 2)
    frame = torch.arange(PAST + LEADS, dtype=torch.float64)[None, :, None]
    anchor, scale = (10.0 + frame).expand(shape), (3.0 + 0.5 * frame).expand(shape)
    clip = anchor.clone()
    clip[:, PAST:] += scale[:, PAST:] * errors
    context = Context(history_frames=PAST, mask=mask, anchor=anchor, anchor_scale=scale)
    return torch.where(mask > 0, clip, 0.0), context


def masked(rows, seen):
    mask = torch.ones(rows, PAST + LEADS, 2, dtype=torch.float64)
    mask[:, PAST:] = torch.tensor(seen, dtype=torch.float64)[None, :, None]
    return mask


def test_draws_have_the_conditional_law_of_what_was_seen():
    rows = 20_000
    known = torch.tensor([0.7, 0.0, -1.3, 0.0, 0.0], dtype=torch.float64)[:, None].expand(-1, 2)
    clip, context = clips(rows, masked(rows, SEEN), known.expand(rows, -1, -1))
    impute = Imputation(torch.from_numpy(LAWS), torch.ones(2, dtype=torch.bool))
    whole, told = impute(clip, context, Key.of(0, rows))
    errors = ((whole - told.anchor) / told.anchor_scale)[:, PAST:].numpy()
    for channel, law in enumerate(LAWS):
        drawn = errors[:, ~SEEN, channel]
        gain = law[np.ix_(~SEEN, SEEN)] @ np.linalg.inv(law[np.ix_(SEEN, SEEN)])
        expected = law[np.ix_(~SEEN, ~SEEN)] - gain @ law[np.ix_(SEEN, ~SEEN)]
        size = np.sqrt(np.diag(expected))
        # 24 comparisons at 5 standard errors: one false alarm in 70 thousand.
        error = 5 / np.sqrt(rows)
        assert (np.abs(drawn.mean(0) - gain @ [0.7, -1.3]) < error * size).all()
        assert (np.abs(np.cov(drawn.T) - expected) < 1.5 * error * np.outer(size, size)).all()
        np.testing.assert_allclose(errors[:, SEEN, channel], np.tile([0.7, -1.3], (rows, 1)), atol=1e-12)


def test_nothing_else_is_touched():
    rows, rng = 6, np.random.default_rng(1)
    mask = torch.from_numpy((rng.random((rows, PAST + LEADS, 2)) > 0.4).astype(float))
    mask[0], mask[1, PAST:] = 1.0, 0.0
    clip, context = clips(rows, mask, torch.from_numpy(rng.normal(size=(rows, LEADS, 2))))
    only_first = torch.tensor([True, False])
    impute = Imputation(torch.from_numpy(LAWS), only_first)
    whole, told = impute(clip, context, Key.of(0, rows))
    kept = mask > 0
    kept[:, :PAST], kept[:, :, 1] = True, True
    assert torch.equal(whole[kept], clip[kept])
    assert torch.isfinite(whole).all()
    assert (whole[~kept] != clip[~kept]).all()
    assert torch.equal(told.mask, torch.where(kept, mask, 1.0))
    assert torch.equal(told.counted, mask)
    same, as_before = impute(clip[:1], context.rows(slice(0, 1)), Key.of(0, 1))
    assert torch.equal(same, clip[:1])
    assert as_before.counted is None
    bare = Context(history_frames=PAST)
    assert impute(clip, bare, Key.of(0, rows)) == (clip, bare)


def test_some_frames_count_as_they_did():
    mask = masked(3, SEEN)
    _, told = Imputation(torch.from_numpy(LAWS), torch.ones(2, dtype=torch.bool))(
        *clips(3, mask, torch.zeros(3, LEADS, 2, dtype=torch.float64)), Key.of(0, 3)
    )
    assert torch.equal(told.frames(1, 5).counts(mask[:, 1:5]), mask[:, 1:5])


def test_every_step_draws_anew_and_one_step_the_same():
    mask = masked(4, SEEN)
    clip, context = clips(4, mask, torch.zeros(4, LEADS, 2, dtype=torch.float64))
    impute = Imputation(torch.from_numpy(LAWS), torch.ones(2, dtype=torch.bool))
    key = Key.of(0, 4)
    found = [impute(clip, context, key.at(key.purpose, step))[0] for step in (0, 0, 1)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_long_rows_are_done_in_runs(monkeypatch):
    mask = masked(40, SEEN)
    clip, context = clips(40, mask, torch.zeros(40, LEADS, 2, dtype=torch.float64))
    impute = Imputation(torch.from_numpy(LAWS), torch.ones(2, dtype=torch.bool))
    whole = impute(clip, context, Key.of(0, 40))[0]
    monkeypatch.setattr("rheos.forecast.imputation._MOST_NUMBERS", 75)
    torch.testing.assert_close(impute(clip, context, Key.of(0, 40))[0], whole)


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_the_covariance_is_that_of_errors(share):
    """Of 20000 clips, two fifths of whose entries are missing or none."""
    rows, rng = 20_000, np.random.default_rng(2)
    errors = np.stack([rng.multivariate_normal(np.zeros(LEADS), law, rows) for law in LAWS], 2)
    mask = torch.from_numpy((rng.random((rows, PAST + LEADS, 2)) >= share).astype(float))
    clip, context = clips(rows, mask, torch.from_numpy(errors))
    found = Imputation.of(clip, context, torch.ones(2, dtype=torch.bool)).covariance.numpy()
    np.testing.assert_allclose(found, LAWS, atol=0.12)


def holed(frames=400):
    """A smooth series, a third of its values missing at random."""
    values = tiny.walk(frames, 1, persistence=0.97)
    values[np.random.default_rng(1).random(values.shape) < 1 / 3] = np.nan
    frame = pd.DataFrame(values, columns=["a"])
    frame.insert(0, "time", pd.date_range("2021-03-01", periods=frames, freq="h"))
    return frame


def test_a_network_is_trained_on_whole_futures(monkeypatch):
    """As it is asked for them: its mask is 1 all through the future, and what counts is what was observed."""
    seen = []

    def spied(self, denoiser, x0, context, key, noise=None):
        seen.append((x0, context))
        return told(self, denoiser, x0, context, key, noise)

    told = Objective.__call__
    monkeypatch.setattr(Objective, "__call__", spied)
    tiny.fitted(holed(), tiny.SERIES)
    # Two thirds were observed; 500 entries tell that share to a standard error of 2 %.
    shares = [float(context.counted[:, context.history_frames :].mean()) for _, context in seen]
    assert np.mean(shares) == pytest.approx(2 / 3, abs=0.12)
    for clip, context in seen:
        future = slice(context.history_frames, None)
        assert (context.mask[:, future] == 1).all()
        missing = context.counted[:, future] == 0
        assert (clip[:, future][missing] != 0).all()
    assert not torch.equal(seen[-1][0][:, -4:], seen[0][0][:, -4:])


def test_pairs_are_whole(tmp_path):
    """A reflow's clips are drawn whole, whatever their windows miss, and all of them counts."""
    model = tiny.fitted(holed(), (*tiny.SERIES, "process=rectified_flow")).model
    windows = WindowSource(read(holed()), model.recipe.window, model.codec)
    clips, context, _ = paired(model, windows, np.arange(40), 8, tmp_path).batch(torch.arange(8))
    future = slice(model.recipe.history, None)
    assert (context.counts(clips)[:, future] == 1).all()
    assert (clips[:, future] != 0).all()


def imputation_of(source, words=tiny.SERIES, horizon=tiny.HORIZON):
    model = tiny.fitted(source, words, horizon=horizon).model
    seen = Circle(model.layout.circular).lift(read(source))
    windows = WindowSource(seen, model.recipe.window, model.codec)
    return Fitting._imputation(model, windows, np.arange(len(windows))), model


def test_whole_data_need_none():
    assert imputation_of(tiny.table())[0] is None


def test_land_is_no_hole():
    found, model = imputation_of(tiny.field(), tiny.FIELD, 3)
    assert torch.equal(found.exists, torch.from_numpy(model.exists))
    assert not found.exists.all()
    assert found.covariance.shape == (1, 3, 3)
    dry = tiny.field(holes=False)
    dry["sst"][:, 0, 0] = np.nan
    assert imputation_of(dry, tiny.FIELD, 3)[0] is None


def test_who_left_is_no_hole_and_tokens_have_no_errors():
    found, model = imputation_of(tiny.table())
    assert found is None
    source = read(holed())
    windows = WindowSource(source, model.recipe.window, model.codec)
    indices = np.arange(len(windows))
    layout = replace(model.layout, kind="trajectory")
    assert Fitting._imputation(replace(model, layout=layout), windows, indices) is None
    tokens = object.__new__(TokenDenoiser)
    assert Fitting._imputation(replace(model, denoiser=tokens), windows, indices) is None
