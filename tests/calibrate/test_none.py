"""No calibration changes nothing, however wrong the forecasts were."""

import numpy as np

from rheos.calibrate import NoCalibration


def test_members_stay_as_they_are_drawn():
    rng = np.random.default_rng(0)
    ensemble, truth = rng.normal(5, 1, size=(60, 8, 3, 2)), rng.normal(size=(60, 3, 2))
    fitted = NoCalibration().fit(ensemble, truth)
    assert fitted.is_identity
    assert fitted.shift.shape == (3, 2)
    assert np.array_equal(fitted.apply(ensemble[0], ensemble[0].mean(0)), ensemble[0])
