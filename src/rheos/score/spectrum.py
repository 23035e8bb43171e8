"""Energy spectrum: E(k) = 1/2 sum over k - 1/2 <= |kappa| < k + 1/2 of |u_hat(kappa)|^2 / n^2.

Fields are periodic; n is the number of grid points, so that the spectrum sums to half the mean square
(Parseval). Spectra are averaged over members and cases; that of an ensemble mean is another, smoother thing.
"""

import numpy as np


def energy_spectrum(fields: np.ndarray, space: int = 2) -> np.ndarray:
    """Isotropic energy spectrum over the last axes.

    Args:
        fields: `(..., x)` or `(..., y, x)`, periodic, equal spacing on all axes; a field with any
            missing value has a spectrum of NaN.
        space: 1 or 2, how many trailing axes are space.

    Returns:
        `(..., k)` for k = 0, 1, ... cycles along the longest side.
    """
    values = np.asarray(fields, np.float64)
    sides = values.shape[-space:]
    axes = tuple(range(-space, 0))
    power = np.abs(np.fft.fftn(values, axes=axes)) ** 2 / np.prod(sides) ** 2
    kappa = np.meshgrid(*(np.fft.fftfreq(side) * max(sides) for side in sides), indexing="ij")
    shell = np.floor(np.sqrt(sum(k**2 for k in kappa)) + 0.5).astype(int).ravel()
    flat = power.reshape(-1, shell.size)
    energy = np.stack([0.5 * np.bincount(shell, weights=row) for row in flat])
    return energy.reshape(*values.shape[:-space], -1)


def spectrum_error(forecast: np.ndarray, truth: np.ndarray, side: int) -> float:
    """Mean over k of |log10 E_forecast / E_truth|, k from 1 to two thirds of the Nyquist wavenumber.

    Args:
        forecast: `(..., k)`, spectra of members; averaged over the leading axes first.
        truth: `(..., k)`, spectra of the truth; likewise.
        side: grid points along the longest side.
    """
    last = side // 3
    ours, theirs = (s.reshape(-1, s.shape[-1]).mean(0)[1 : last + 1] for s in (forecast, truth))
    return float(np.abs(np.log10(ours / theirs)).mean())
