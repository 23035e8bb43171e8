import numpy as np
import pytest
from pydantic import ValidationError

from rheos.data.generator.turbulence import Turbulence, VorticityFlow, coarsen, turbulence


def grid(points: int) -> tuple[np.ndarray, np.ndarray]:
    axis = np.arange(points) * (2 * np.pi / points)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return y, x


def random_spectrum(flow: VorticityFlow, seed: int, largest: float = 5.0) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((flow.points, flow.points))
    spectrum = flow.to_spectrum(values)
    ky, kx = flow.wavenumbers
    square = kx**2 + ky**2
    return spectrum * ((square > 0) & (square < largest**2)) * 4


def energy_and_enstrophy(flow: VorticityFlow, spectrum: np.ndarray) -> tuple[float, float]:
    u, v = (flow.to_grid(part) for part in flow.velocity(spectrum))
    return float((u**2 + v**2).mean() / 2), float((flow.to_grid(spectrum) ** 2).mean() / 2)


def test_taylor_green_vortex_decays_as_in_closed_form() -> None:
    viscosity, drag, time = 0.03, 0.2, 1.5
    flow = VorticityFlow(32, viscosity, drag)
    y, x = grid(32)
    start = 2 * 2 * np.cos(2 * x) * np.cos(2 * y)
    end = flow.to_grid(flow.integrate(flow.to_spectrum(start), 0.05, 30))
    exact = start * np.exp(-(viscosity * 8 + drag) * time)
    np.testing.assert_allclose(end, exact, atol=1e-10)


def test_shear_flow_under_the_force_follows_its_linear_law() -> None:
    flow = VorticityFlow(32, viscosity=0.05, drag=0.1, amplitude=0.7, waves=3)
    y, _ = grid(32)
    end = flow.to_grid(flow.integrate(np.zeros((32, 17), complex), 0.01, 200))
    rate = 0.05 * 9 + 0.1
    exact = -0.7 * 3 * np.cos(3 * y) * (1 - np.exp(-rate * 2.0)) / rate
    np.testing.assert_allclose(end, exact, atol=1e-8)


def test_force_is_the_curl_of_the_kolmogorov_force() -> None:
    flow = VorticityFlow(48, amplitude=1.3, waves=4)
    y, _ = grid(48)
    along_x = flow.to_spectrum(1.3 * np.sin(4 * y))
    ky, _ = flow.wavenumbers
    np.testing.assert_allclose(flow.force, -1j * ky * along_x, atol=1e-9)


def test_advection_agrees_with_finite_differences_of_the_fluxes() -> None:
    """Independent of Fourier space: centered differences of the stream function and of the fluxes."""
    points = 512
    y, x = grid(points)
    stream = np.sin(x) * np.cos(2 * y) + 0.5 * np.cos(3 * x + y)
    step = 2 * np.pi / points

    def slope(field: np.ndarray, axis: int) -> np.ndarray:
        near = np.roll(field, -1, axis) - np.roll(field, 1, axis)
        far = np.roll(field, -2, axis) - np.roll(field, 2, axis)
        return (8 * near - far) / (12 * step)

    u, v = slope(stream, 0), -slope(stream, 1)
    vorticity = slope(v, 1) - slope(u, 0)
    expected = -slope(u * vorticity, 1) - slope(v * vorticity, 0)
    flow = VorticityFlow(64)
    start = flow.to_spectrum(vorticity[::8, ::8])
    dt = 1e-5
    moved = (flow.to_grid(flow.integrate(start, dt, 1)) - flow.to_grid(start)) / dt
    np.testing.assert_allclose(moved, expected[::8, ::8], atol=2e-3)


def test_velocity_has_the_vorticity_and_no_divergence() -> None:
    flow = VorticityFlow(48)
    spectrum = random_spectrum(flow, 3)
    ky, kx = flow.wavenumbers
    u, v = flow.velocity(spectrum)
    np.testing.assert_allclose(1j * kx * u + 1j * ky * v, 0, atol=1e-9)
    np.testing.assert_allclose(1j * kx * v - 1j * ky * u, spectrum, atol=1e-9)


def test_ideal_flow_keeps_energy_and_enstrophy() -> None:
    flow = VorticityFlow(64)
    start = random_spectrum(flow, 0)
    end = flow.integrate(start, 0.005, 200)
    assert np.abs(flow.to_grid(end) - flow.to_grid(start)).max() > 0.5
    np.testing.assert_allclose(energy_and_enstrophy(flow, end), energy_and_enstrophy(flow, start), rtol=1e-6)


def test_fourth_order_in_the_time_step() -> None:
    flow = VorticityFlow(32, viscosity=0.02, drag=0.1, amplitude=1.0, waves=2)
    start = random_spectrum(flow, 1) / 2
    exact = flow.integrate(start, 0.8 / 256, 256)
    errors = [np.abs(flow.integrate(start, 0.8 / n, n) - exact).max() for n in (16, 32, 64)]
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    np.testing.assert_allclose(orders, 4.0, atol=0.25)


def test_energy_is_fed_and_drained_as_the_equation_says() -> None:
    """d/dt <|u|^2> / 2 = -2 nu Z - 2 mu E + <A sin(k y) u>, with Z the enstrophy."""
    flow = VorticityFlow(48, viscosity=0.02, drag=0.15, amplitude=1.2, waves=4)
    start = random_spectrum(flow, 5)
    dt = 1e-4
    before, after = (flow.integrate(start, step, 1) for step in (-dt, dt))
    change = (energy_and_enstrophy(flow, after)[0] - energy_and_enstrophy(flow, before)[0]) / (2 * dt)
    energy, enstrophy = energy_and_enstrophy(flow, start)
    u = flow.to_grid(flow.velocity(start)[0])
    work = (1.2 * np.sin(4 * grid(48)[0]) * u).mean()
    assert change == pytest.approx(-2 * 0.02 * enstrophy - 2 * 0.15 * energy + work, rel=1e-5)


def test_coarsening_keeps_the_large_waves_on_the_coarse_grid() -> None:
    flow = VorticityFlow(64)
    spectrum = random_spectrum(flow, 2, largest=14)
    fine = flow.to_grid(spectrum)
    coarse = VorticityFlow(32).to_grid(coarsen(spectrum, 32))
    np.testing.assert_allclose(coarse, fine[::2, ::2], atol=1e-10)


def test_flow_is_steady_chaotic_and_resolved() -> None:
    method = Turbulence(frames=60, size=64, trajectories=3)
    values = np.stack([r.values for r in method.generate(0).recordings])[:, :, 0].astype(float)
    enstrophy = (values**2).mean((0, 2, 3))
    assert enstrophy[:20].mean() == pytest.approx(enstrophy[-20:].mean(), rel=0.35)
    anomaly = values - values.mean((0, 1))
    size = (anomaly**2).mean()
    assert (anomaly[:, 1:] * anomaly[:, :-1]).mean() / size > 0.85
    assert abs((anomaly[:, 40:] * anomaly[:, :-40]).mean() / size) < 0.25
    power = (np.abs(np.fft.fft2(values)) ** 2).mean((0, 1))
    wave = np.fft.fftfreq(64, 1 / 64)
    shell = np.hypot(*np.meshgrid(wave, wave)).round()
    spectrum = np.array([power[shell == k].sum() for k in range(1, 21)])
    # No pile-up at the cut: the spectrum falls all the way, to under a 300th of its peak.
    assert (np.diff(np.log(spectrum[5:])) < 0.05).all()
    assert spectrum[-1] < 1 / 300 * spectrum.max()


def test_data_set_is_a_periodic_field_and_depends_on_the_seed_alone() -> None:
    short = Turbulence(frames=2, size=32, trajectories=2, spin_up=0.5)
    data = short.generate(7)
    layout = data.layout
    assert (layout.kind, layout.channels, layout.units) == ("field", ("vorticity",), ("1/s",))
    assert layout.dims == ("channel", "y", "x")
    assert layout.periodic == (True, True)
    assert data.features == (1, 32, 32)
    assert [r.name for r in data.recordings] == ["flow-0", "flow-1"]
    assert list(data.recordings[0].stamps) == [0, 1]
    assert data.recordings[0].values.mean() == pytest.approx(0, abs=1e-5)
    again, other = short.generate(7), short.generate(8)
    np.testing.assert_array_equal(again.recordings[1].values, data.recordings[1].values)
    assert np.abs(other.recordings[0].values - data.recordings[0].values).max() > 1
    assert np.abs(data.recordings[1].values - data.recordings[0].values).max() > 1
    alone = short.model_copy(update={"trajectories": 1}).generate(7)
    np.testing.assert_allclose(alone.recordings[0].values, data.recordings[0].values, atol=1e-4)


def test_start_has_unit_speed() -> None:
    method = Turbulence(frames=1, size=64, trajectories=2, spin_up=0)
    flow = VorticityFlow(64)
    for recording in method.generate(1).recordings:
        u, v = (flow.to_grid(part) for part in flow.velocity(flow.to_spectrum(recording.values[0, 0])))
        assert np.sqrt((u**2 + v**2).mean()) == pytest.approx(1.0, rel=1e-5)


def test_function_is_the_method_at_its_defaults() -> None:
    made = turbulence(frames=1, size=16, trajectories=1, seed=4)
    same = Turbulence(frames=1, size=16, trajectories=1).generate(4)
    np.testing.assert_array_equal(made.recordings[0].values, same.recordings[0].values)


def test_force_that_the_grid_cannot_hold_is_refused() -> None:
    with pytest.raises(ValidationError, match="do not fit"):
        Turbulence(size=8, waves=4)
