import numpy as np
import pytest
from scipy import integrate, stats

from rheos.core.method import Method
from rheos.data.generator import GENERATORS, GaussianPanel, crps_normal
from rheos.data.generator.turbulence import Turbulence


@pytest.mark.parametrize(
    ("mean", "deviation", "outcome"), [(0.0, 1.0, 0.3), (2.0, 0.5, -1.0), (-1.0, 3.0, 4.0)]
)
def test_crps_of_a_normal_is_the_integral_of_its_definition(
    mean: float, deviation: float, outcome: float
) -> None:
    law = stats.norm(mean, deviation)
    below, _ = integrate.quad(lambda z: law.cdf(z) ** 2, -np.inf, outcome)
    above, _ = integrate.quad(lambda z: law.sf(z) ** 2, outcome, np.inf)
    assert crps_normal(mean, deviation, outcome) == pytest.approx(below + above, abs=1e-7)


def test_conditional_law_is_that_of_the_stationary_joint_gaussian() -> None:
    """Schur complement of the joint covariance of frames 0 .. S, built without the recursion."""
    method, horizon = GaussianPanel(channels=3, memory=5, correlation=0.4), 4
    frame = np.arange(horizon + 1)
    joint = np.kron(np.exp(-np.abs(frame[:, None] - frame) / 5), method.covariance)
    gain = joint[3:, :3] @ np.linalg.inv(joint[:3, :3])
    last = np.array([0.3, -1.0, 2.0])
    mean, covariance = method.conditional(last, horizon)
    np.testing.assert_allclose(mean.ravel(), gain @ last, atol=1e-12)
    np.testing.assert_allclose(covariance.reshape(12, 12), joint[3:, 3:] - gain @ joint[:3, 3:], atol=1e-12)


def test_draws_follow_the_law() -> None:
    method = GaussianPanel(frames=6, channels=2, sequences=40_000, memory=3, correlation=0.6)
    values = np.stack([r.values for r in method.generate(0).recordings])
    frame = np.arange(6)
    exact = np.kron(np.exp(-np.abs(frame[:, None] - frame) / 3), method.covariance)
    np.testing.assert_allclose(np.cov(values.reshape(-1, 12).T), exact, atol=0.03)


def test_best_crps_is_what_the_exact_forecast_scores() -> None:
    method = GaussianPanel(frames=9, channels=1, sequences=20_000, memory=4)
    values = np.stack([r.values for r in method.generate(1).recordings])
    mean, covariance = method.conditional(values[:, 0], 8)
    deviation = np.sqrt(np.diagonal(covariance[:, 0, :, 0]))
    scores = crps_normal(mean[..., 0], deviation, values[:, 1:, 0]).mean(0)
    np.testing.assert_allclose(scores, method.best_crps(8), rtol=0.02)


def test_sequences_do_not_depend_on_how_many_there_are() -> None:
    many, few = (GaussianPanel(frames=5, sequences=n).generate(3).recordings[0].values for n in (3, 1))
    np.testing.assert_array_equal(many, few)


def test_registry_names_each_generator_once() -> None:
    names = [method.name() for method in GENERATORS]
    particles, pictures = ["charged", "springs", "gravity"], ["bouncing_shapes", "moving_digits"]
    assert names == ["turbulence", "lorenz63", "lorenz96", "gaussian", *particles, *pictures]
    assert all(issubclass(method, Method) and method.summary() for method in GENERATORS)
    assert Turbulence in GENERATORS
