"""Rheos: probabilistic forecasting of dynamics with diffusion and flow models.

The five verbs: `inspect` a source, `fit` a forecaster, let it `forecast`, `backtest` it, `report`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rheos.core.context import Context as Context
    from rheos.core.errors import IncompatibleError as IncompatibleError
    from rheos.core.errors import InputError as InputError
    from rheos.core.errors import RheosError as RheosError
    from rheos.core.keys import Key as Key
    from rheos.data.reader import read as read
    from rheos.denoise.denoiser import Denoiser as Denoiser
    from rheos.evaluation.backtest import backtest as backtest
    from rheos.evaluation.backtest import evaluate as evaluate
    from rheos.evaluation.comparison.compare import compare as compare
    from rheos.evaluation.comparison.settings import Comparing as Comparing
    from rheos.forecast.forecast import Forecast as Forecast
    from rheos.forecast.forecaster import Forecaster as Forecaster
    from rheos.forecast.forecaster import fit as fit
    from rheos.forecast.forecaster import load as load
    from rheos.forecast.proposal import inspect as inspect
    from rheos.forecast.recipe import Recipe as Recipe
    from rheos.forecast.settings import Forecasting as Forecasting
    from rheos.process.process import Process as Process

__version__ = "0.1.0"

_HOMES = {
    "Comparing": "rheos.evaluation.comparison.settings",
    "Context": "rheos.core.context",
    "Denoiser": "rheos.denoise.denoiser",
    "Forecast": "rheos.forecast.forecast",
    "Forecaster": "rheos.forecast.forecaster",
    "Forecasting": "rheos.forecast.settings",
    "IncompatibleError": "rheos.core.errors",
    "InputError": "rheos.core.errors",
    "Key": "rheos.core.keys",
    "Process": "rheos.process.process",
    "Recipe": "rheos.forecast.recipe",
    "RheosError": "rheos.core.errors",
    "backtest": "rheos.evaluation.backtest",
    "compare": "rheos.evaluation.comparison.compare",
    "evaluate": "rheos.evaluation.backtest",
    "fit": "rheos.forecast.forecaster",
    "inspect": "rheos.forecast.proposal",
    "load": "rheos.forecast.forecaster",
    "read": "rheos.data.reader",
}

__all__ = [
    "Comparing",
    "Context",
    "Denoiser",
    "Forecast",
    "Forecaster",
    "Forecasting",
    "IncompatibleError",
    "InputError",
    "Key",
    "Process",
    "Recipe",
    "RheosError",
    "__version__",
    "backtest",
    "compare",
    "evaluate",
    "fit",
    "inspect",
    "load",
    "read",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import rheos` is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rheos' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
