from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.network import FieldNetwork, SeriesNetwork, Shapes


@dataclass(frozen=True)
class Case:
    x: Tensor
    level: Tensor
    context: Context

    @property
    def shapes(self) -> Shapes:
        return Shapes.of(self.x, self.context)

    def changed(self, **values: Tensor | None) -> "Case":
        """The same case with another x, level or field of the context."""
        own = {name: value for name, value in values.items() if name in ("x", "level")}
        rest = {name: value for name, value in values.items() if name not in own}
        return replace(self, **own, context=replace(self.context, **rest))

    def answer(self, network: nn.Module) -> Tensor:
        return network(self.x, self.level, self.context)


def make_case(
    batch: int = 2,
    history: int = 5,
    horizon: int = 4,
    channels: int = 2,
    space: tuple[int, ...] = (),
    periodic: tuple[bool, ...] = (),
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Case:
    """A random clip whose context holds everything a context can hold."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    frames, features = history + horizon, (channels, *space)
    mask = (torch.rand(batch, frames, *features, generator=generator) < 0.8).to(dtype)
    lagged = normal(batch, frames, 2, *features)
    level = normal(batch, 1).repeat(1, frames) * 3
    level[:, :history] = 20.0
    context = Context(
        history_frames=history,
        history=normal(batch, history, *features),
        mask=mask,
        calendar=normal(batch, frames, 3),
        known_future=normal(batch, frames, 2),
        past=normal(batch, history, 2),
        static=normal(batch, 2),
        lagged=lagged * (lagged.abs() > 0.3),
        anchor=normal(batch, frames, *features),
        anchor_scale=normal(batch, frames, *features).exp(),
        coordinates=normal(2, *space) if space else None,
        periodic=periodic,
    )
    return Case(normal(batch, frames, *features), level, context)


def make_awake(network: nn.Module, seed: int = 1) -> nn.Module:
    """The network in float64 with no weight left at 0, so that every path is open."""
    generator = torch.Generator().manual_seed(seed)
    network = network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return network


@pytest.fixture
def case() -> Callable[..., Case]:
    return make_case


@pytest.fixture
def awake() -> Callable[..., nn.Module]:
    return make_awake


@pytest.fixture
def small_series() -> SeriesNetwork:
    return SeriesNetwork(width=16, depth=2, heads=2, rank=8, patch=2)


@pytest.fixture
def small_field() -> FieldNetwork:
    return FieldNetwork(base=8, multipliers=(1, 2), patch=2, detail=4, rank=6)


@pytest.fixture(params=["series", "field", "line"])
def either(
    request: pytest.FixtureRequest, small_series: SeriesNetwork, small_field: FieldNetwork
) -> tuple[SeriesNetwork | FieldNetwork, Case]:
    """Each backbone with a clip it takes."""
    if request.param == "series":
        return small_series, make_case()
    if request.param == "field":
        return small_field, make_case(history=3, horizon=2, space=(6, 9), periodic=(False, True))
    return small_field, make_case(history=2, horizon=2, space=(11,), periodic=(True,))
