"""Reflow inside a fit: pairs are the model's own, training goes on with them, and a cut run loses nothing."""

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from rheos.core.errors import InputError
from rheos.core.keys import Key, Purpose
from rheos.data.circle import Circle
from rheos.data.reader import read
from rheos.data.window_source import WindowSource
from rheos.denoise import Objective
from rheos.forecast.fitting import Fitting
from rheos.forecast.forecaster import fit, load, options
from rheos.forecast.recipe import make_recipe
from rheos.forecast.reflow import paired
from rheos.sample import sample
from rheos.train.loop import Trained

WORDS = (*tiny.SERIES, "process=rectified_flow")
REFLOW = (*WORDS, "training.reflow=0.5")


class Cut(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def dataset():
    return read(tiny.table())


@pytest.fixture(scope="module")
def recipe(dataset):
    return make_recipe(dataset, tiny.HORIZON, options(None, REFLOW))


def test_a_pair_is_the_clip_that_sampling_draws_from_its_noise(tmp_path):
    model = tiny.fitted(tiny.table(), WORDS).model
    seen = Circle(model.layout.circular).lift(read(tiny.table()))
    windows = WindowSource(seen, model.recipe.window, model.codec)
    indices = np.arange(3, 90)
    found = paired(model, windows, indices, 20, tmp_path)
    assert len(found) == 20
    assert (found.chosen[0], found.chosen[-1]) == (3, 89)
    chosen = torch.tensor([13, 2, 9])
    clips, context, noise = found.batch(chosen)
    key = Key.of(model.recipe.seed, chosen, "reflow")
    expected = sample(model.denoiser, clips.shape, key=key, context=context, preset="best").clips
    late = slice(model.recipe.history, None)
    torch.testing.assert_close(clips[:, late], expected[:, late], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(context.history, model.context(windows.batch(found.chosen[chosen]))[1].history)
    assert torch.equal(noise, key.at(Purpose.START).normal(clips.shape[1:]))
    before = (tmp_path / "pairs.safetensors").read_bytes()
    again = paired(model, windows, indices, 20, tmp_path)
    assert torch.equal(again.pairs.clips, found.pairs.clips)
    assert (tmp_path / "pairs.safetensors").read_bytes() == before


def fitted(dataset, recipe, folder, cut_at=None):
    folder.mkdir(exist_ok=True)

    def progress(done, total, note):
        if cut_at is not None and (note.split()[0], done) == cut_at and (folder / "reflow").is_dir():
            raise Cut

    with torch.random.fork_rng():
        return Fitting(dataset, recipe, folder, progress=progress)()


def test_a_cut_run_ends_with_the_same_bits(dataset, recipe, tmp_path):
    whole = fitted(dataset, recipe, tmp_path / "whole")
    with pytest.raises(Cut):
        fitted(dataset, recipe, tmp_path / "cut", ("drawing", 8))
    with pytest.raises(Cut):
        fitted(dataset, recipe, tmp_path / "cut", ("held-out", 3))
    found = fitted(dataset, recipe, tmp_path / "cut")
    assert tiny.same(tiny.tensors(whole), tiny.tensors(found))
    assert whole.history.steps == 12
    assert [step for step, _ in whole.history.scores] == [0, 6, 12]
    assert [step for step, _ in whole.history.losses] == [6, 12]


@pytest.mark.parametrize(
    ("words", "laws"),
    [
        ((), ("uniform", "log_snr_uniform")),
        (("objective.time_sampler=logit_normal",), ("logit_normal", "log_snr_uniform")),
        (("training.reflow_times=logit_normal",), ("uniform", "logit_normal")),
    ],
    ids=repr,
)
def test_the_second_part_is_trained_on_pairs(words, laws, dataset, tmp_path, monkeypatch):
    met = []
    plain = Objective.__call__

    def noted(self, denoiser, x0, context, key, noise=None):
        met.append((self.time_sampler.name(), noise))
        return plain(self, denoiser, x0, context, key, noise)

    monkeypatch.setattr(Objective, "__call__", noted)
    recipe = make_recipe(dataset, tiny.HORIZON, options(None, (*REFLOW, *words)))
    fitted(dataset, recipe, tmp_path / "run")
    assert [noise is None for _, noise in met] == [True] * 6 + [False] * 6
    # Either part has its own law; the start, where few steps ask, is met as often as any octave of noise.
    assert [word for word, _ in met] == [laws[0]] * 6 + [laws[1]] * 6
    stored = torch.cat([noise.flatten(1) for _, noise in met[6:]])
    # 48 pairs are drawn for 48 places in batches, with repetition.
    assert 10 < len(torch.unique(stored, dim=0)) < 48


def test_one_word_does_it_and_none_of_it_is_left_behind(tmp_path):
    made = fit(tiny.table(), tiny.HORIZON, words=REFLOW, out=tmp_path / "model")
    assert sorted(p.name for p in Path(tmp_path).iterdir()) == ["model"]
    assert load(tmp_path / "model").model.recipe.training.reflow == 0.5
    assert made.forecast(members=3).to_dataframe().notna().all().all()


def test_a_law_of_no_steps_is_refused(dataset):
    with pytest.raises(InputError, match=r"of steps on pairs, of which training\.reflow=0 makes none"):
        make_recipe(dataset, tiny.HORIZON, options(None, ["training.reflow_times=logit_normal"]))


def test_tokens_have_no_pairs(dataset):
    with pytest.raises(InputError, match="no pairs to go on with"):
        make_recipe(dataset, tiny.HORIZON, options(None, ["process=masked", "training.reflow=0.5"]))


def test_two_parts_of_a_training_are_told_as_one():
    first = Trained(10, 8, 6, [(5, 1.0), (8, 0.9)], [(0, 2.0), (8, 1.0)], 3.0)
    second = Trained(6, 6, 4, [(6, 0.5)], [(0, 1.0), (4, 0.8), (6, 0.9)], 2.0)
    told = first.then(second)
    assert (told.steps, told.stopped, told.best_step, told.seconds) == (16, 14, 12, 5.0)
    assert told.losses == [(5, 1.0), (8, 0.9), (14, 0.5)]
    assert told.scores == [(0, 2.0), (8, 1.0), (12, 0.8), (14, 0.9)]
    assert first.then(Trained(6, 6, 0)).best_step == 6
