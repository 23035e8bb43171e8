"""Models of codes on another grid: what a user sees is raw, what the network sees is coded."""

from itertools import islice

import numpy as np
import pytest
import tiny

from rheos.core.errors import InputError
from rheos.data.codec import AutoEncoder, Chain, Patches, Scale
from rheos.data.codec.patches import joined
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.reader import read
from rheos.forecast import budget, coding
from rheos.forecast.draw import decoded
from rheos.forecast.forecaster import load, options
from rheos.forecast.override import build
from rheos.forecast.proposal import inspect
from rheos.forecast.recipe import Recipe
from rheos.forecast.settings import Forecasting
from rheos.forecast.spending import Spending
from rheos.forecast.store import Frame

PER_FRAME = (*tiny.CODED, "times=per_frame", "anchor=none", "process=plain")


@pytest.fixture(scope="module")
def frames_model():
    return tiny.fitted(tiny.field(holes=False), PER_FRAME, horizon=3)


def test_the_network_sees_codes_and_the_user_what_was_recorded(coded_model):
    model = coded_model.model
    assert (model.shapes.channels, model.shapes.space) == (3, (2, 3))
    assert model.exists.shape == (1, 4, 6)
    assert model.coded_exists.shape == (3, 2, 3)
    drawn = coded_model.forecast(members=6).dataset["sst"]
    assert drawn.sizes == {"init_time": 1, "member": 6, "lead_time": 3, "lat": 4, "lon": 6}
    np.testing.assert_array_equal(np.isnan(drawn), np.broadcast_to(~model.exists, drawn.shape))


def test_coded_windows_decode_to_what_was_recorded(frames_model):
    """All three of four components, so near the data, and of the right windows."""
    model = frames_model.model
    dataset = model.tail
    source = model.source(dataset)
    batch = source.batch(np.arange(len(source)))
    clip, context = model.context(batch, forecasting=False)
    assert context.coordinates.shape[1:] == clip.shape[3:] == (2, 3)
    raw = decoded(model, clip, {}, model.exists)
    recorded = dataset.recordings[0].values
    truth = np.stack([recorded[o - model.recipe.history : o + 3] for o in source.origin])
    left = ((raw - truth) ** 2).mean() / truth.var()
    assert left == pytest.approx(model.history.lost, rel=0.5)
    assert 0 < left < 0.25
    again = model.codec.encode(raw, {})
    np.testing.assert_allclose(again, clip, atol=1e-5)


def test_what_is_not_in_the_codes_is_told(coded_model, field_model, tmp_path):
    """The fourth of four components: what the codec itself says, on frames of its own choice."""
    rng = np.random.default_rng(0)
    pictures = np.linalg.qr(rng.normal(size=(4, 4)))[0] * np.array([2.0, 1.0, 1.0, 0.5])[:, None]
    patches = rng.normal(size=(1000, 3, 3, 4)) @ pictures
    field = Dataset(
        layout=Layout(kind="field", dims=("channel", "y", "x"), channels=("a",), periodic=(False, False)),
        recordings=(Recording.of(joined(patches, 2, (1, 6, 6))),),
    )
    codec = Chain(links=(Patches(factor=2, channels=3),)).fit(field)
    assert coding.lost(codec, field) == pytest.approx(0.25 / 6.25, rel=0.2)
    assert coding.lost(Chain(links=(Scale(),)).fit(field), field) == 0.0
    assert field_model.model.history.lost == 0.0
    coded_model.save(tmp_path / "m")
    share = f"{coded_model.model.history.lost:.1%}"
    assert (
        f"scale, patches; {share} of the data's variance is not in them"
        in (tmp_path / "m/README.md").read_text()
    )


def test_a_saved_model_is_the_same(coded_model, tmp_path):
    coded_model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert tiny.same(tiny.tensors(coded_model.model), tiny.tensors(again.model))
    one, other = (each.forecast(members=4, quality="fast").dataset for each in (coded_model, again))
    assert one.identical(other)


def test_frames_can_be_given_and_streams_can_roll(frames_model):
    field = tiny.field(holes=False)
    known = field.isel(time=slice(-3, -1))
    at = str(field.time.values[-4])
    drawn = frames_model.forecast(field, at=at, members=4, settings=Forecasting(given=known)).dataset["sst"]
    np.testing.assert_array_equal(drawn[0, 0, :2], known["sst"].values.astype(np.float32))
    free = frames_model.forecast(field, at=at, members=4).dataset["sst"]
    assert np.abs(drawn[0, :, 2] - free[0, :, 2]).max() > 1e-3  # the frame after follows them
    rolled = list(islice(frames_model.stream(field, members=4, pace="rolling"), 5))
    assert np.isfinite(rolled[-1].dataset["sst"]).all()


TRAINED = "codec=[scale,{kind: autoencoder,factor: 2,channels: 3,width: 4}]"


def test_an_autoencoder_is_trained_in_its_share_and_once(tmp_path, monkeypatch):
    dataset = read(tiny.field(holes=False))
    recipe = build(Recipe, {"horizon": 3, "history": 3} | options(None, [TRAINED, "training.time=2s"]), "it")
    assert recipe.coding == 0.2
    settled, codec = coding.coded(recipe, dataset, tmp_path)
    assert settled.codec[1].steps >= 1
    assert settled.coding == 0.0
    monkeypatch.setattr(AutoEncoder, "fit_targets", lambda *_: pytest.fail("trained again"))
    again, same = coding.coded(recipe, dataset, tmp_path)
    assert again == settled
    one, other = codec.to_arrays(), same.to_arrays()
    assert tiny.same(one, other)


def test_what_the_codec_takes_is_not_the_networks(tmp_path, monkeypatch):
    given = []

    def within(step, settings, *rest):
        given.append(settings.time)
        return Spending(steps=1, checks=1, windows=4, members=2, calibrated=4, calibrating=2)

    monkeypatch.setattr(Spending, "within", within)
    monkeypatch.setattr(AutoEncoder, "within", lambda self, *_: self.model_copy(update={"steps": 2}))
    words = [word for word in tiny.FIELD if "steps" not in word]
    model = tiny.fitted(tiny.field(holes=False), (*words, TRAINED, "training.time=10s"), horizon=3)
    assert given == [8.0]
    assert model.model.recipe.codec[1].steps == 2
    model.save(tmp_path / "m")
    assert tiny.same(tiny.tensors(model.model), tiny.tensors(load(tmp_path / "m").model))
    assert np.isfinite(model.forecast(members=2, quality="fast").dataset["sst"]).all()


def test_codes_make_blocks_smaller_and_forecasts_cheaper(coded_model, field_model):
    words = ["network=field"]
    codes = 'codec=[scale,{"kind":"patches","factor":4,"channels":2}]'
    field = np.random.default_rng(0).normal(size=(40, 64, 64)).astype(np.float32)
    raw = inspect(field, 4, words=words)
    coded = inspect(field, 4, words=[*words, codes])
    assert coded.recipe["training"]["batch"] > raw.recipe["training"]["batch"]
    assert coded.cost["forecast_seconds"] == pytest.approx(raw.cost["forecast_seconds"] / 8, abs=0.1)

    def need(model):
        layout, block = model.layout, model.recipe.block
        frame = Frame(layout, ("",), ["2021-01-01"], np.zeros((1, 3)), 100, block)
        return budget.needed(model, frame, (4, 6), in_memory=False)

    assert need(coded_model.model) < need(field_model.model)


def test_variables_that_are_mixed_have_no_times_of_their_own():
    with pytest.raises(InputError, match="codec=patches mixes variables"):
        build(
            Recipe, {"horizon": 3, "history": 3} | options(None, ["codec=patches", "times=per_group"]), "it"
        )


def test_another_grid_is_refused_as_ever(coded_model):
    other = tiny.field().isel(lat=slice(3))
    with pytest.raises(InputError, match=r"frames of shape \(1, 4, 6\)"):
        coded_model.forecast(other, members=2)
    assert isinstance(coded_model.read(tiny.field()), Dataset)
