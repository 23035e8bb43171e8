"""What a process takes from the data is in the model's recipe, and comes back from its folder."""

import tiny

from rheos.forecast.forecaster import fit, load
from rheos.process.schedule import KineticOptimal


def test_the_least_energy_path_is_that_of_the_data(tmp_path):
    model = fit(
        tiny.table(), tiny.HORIZON, words=(*tiny.SERIES, "process=kinetic_optimal"), out=tmp_path / "m"
    )
    schedule = model.model.recipe.process.schedule
    assert isinstance(schedule, KineticOptimal)
    assert len(schedule.gain) > 2
    assert model.model.denoiser.process.schedule == schedule
    again = load(tmp_path / "m")
    assert again.model.denoiser.process.schedule == schedule
    first, second = (m.forecast(members=4, quality="fast").dataset for m in (model, again))
    assert first.identical(second)
