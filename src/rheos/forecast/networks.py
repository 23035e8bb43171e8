"""What a recipe makes of a network: the denoiser of numbers or tokens, and the energy of tokens."""

from collections.abc import Mapping

from torch import Tensor, nn

from rheos.denoise import (
    Denoiser,
    FlowMap,
    FlowObjective,
    MaskedCrossEntropy,
    NoiseContrastive,
    TokenDenoiser,
    TokenEnergy,
)
from rheos.forecast.recipe import Recipe
from rheos.network.shapes import Shapes
from rheos.process import Masked


def denoiser_of(recipe: Recipe, network: nn.Module, sigma_data: float = 1.0) -> Denoiser | TokenDenoiser:
    """The denoiser that a recipe's process asks for."""
    if isinstance(recipe.process, Masked):
        return TokenDenoiser(network, recipe.process)
    kind = FlowMap if isinstance(recipe.objective, FlowObjective) else Denoiser
    return kind(network, recipe.process.build(anchored=True), sigma_data=sigma_data)


def contrast_of(recipe: Recipe) -> NoiseContrastive | None:
    """How an energy of tokens is learned, where a recipe asks for one."""
    return recipe.objective.energy if isinstance(recipe.objective, MaskedCrossEntropy) else None


def energy_of(recipe: Recipe, shapes: Shapes, learned: Mapping[str, Tensor] | None = None) -> TokenEnergy:
    """The energy of a recipe's tokens with the weights learned; without any it corrects nothing."""
    network = recipe.network.build(shapes, recipe.seed)
    if learned is not None:
        network.load_state_dict(learned)
    return TokenEnergy(network, recipe.process).eval()
