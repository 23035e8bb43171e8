"""The kinds of models, by their process: what is trained, what draws from it, what does not go with it."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from rheos.core.errors import IncompatibleError
from rheos.denoise import (
    BridgeDenoiser,
    BridgeNetwork,
    Denoiser,
    EndsDenoiser,
    FlowMap,
    FlowObjective,
    MaskedCrossEntropy,
    NoiseContrastive,
    TokenDenoiser,
    TokenEnergy,
)
from rheos.forecast.recipe import Recipe
from rheos.network.shapes import Shapes
from rheos.process import BridgePlan, Masked, Resampled, TwoSided
from rheos.process.coordinates import Anchored
from rheos.sample.preset import Preset, flow_preset, preset
from rheos.sample.transport_preset import AtOnce, Transport, at_once, transport_preset
from rheos.sample.unmasking import Unmasking, token_preset

Answers = Denoiser | TokenDenoiser | EndsDenoiser | BridgeDenoiser
"""What is trained."""
Sampler = Preset | Unmasking | Transport | AtOnce
"""What draws members: it goes with the kind of the denoiser."""

NO_LEVELS = (
    "the model draws whole numbers (process=masked), so it has no noise levels and no solver, which tuning "
    "and rolling streams are about: its quality 'best' is exact, one call a number."
)
"""Why what is about noise levels does not go with tokens."""
NO_STEPS = (
    "the model is a flow map (objective=mean_flow or split_mean_flow), which goes from noise to data in 1, 2 "
    "or 4 calls by itself, so there is no solver to tune: forecast with --quality fast, balanced or best."
)
"""Why tuning does not go with flow maps."""
NO_NOISE = (
    "the model goes from clips to clips (process=two_sided or light_bridge), so it has no alpha(t) and "
    "sigma(t), by which solvers are tuned and streams roll: forecast with --quality fast, balanced or best, "
    "and stream in stretches."
)
"""Why what is about solvers does not go with a process between two laws."""


def continuous(denoiser: Answers) -> Denoiser:
    """The denoiser of a model of numbers under noise.

    Raises:
        IncompatibleError: the model draws tokens, or goes from clips to clips.
    """
    if not isinstance(denoiser, Denoiser):
        raise IncompatibleError(NO_LEVELS if isinstance(denoiser, TokenDenoiser) else NO_NOISE)
    return denoiser


def sampler_of(denoiser: Answers, word: Sampler | str, own: Mapping[str, Preset]) -> Sampler:
    """The sampler of a word for a denoiser, the model's own before the usual one; a sampler is its own.

    Raises:
        InputError: there is no such word.
    """
    if not isinstance(word, str):
        return word
    if isinstance(denoiser, TokenDenoiser):
        return token_preset(word)
    if isinstance(denoiser, EndsDenoiser):
        return transport_preset(word)
    if isinstance(denoiser, BridgeDenoiser):
        return at_once(word)
    if word in own:
        return own[word]
    return flow_preset(word) if isinstance(denoiser, FlowMap) else preset(word)


def network_of(recipe: Recipe, shapes: Shapes) -> nn.Module:
    """The network that a recipe's process asks for, as it is before the first step."""
    built: nn.Module = recipe.network.build(shapes, recipe.seed)
    if not isinstance(recipe.process, BridgePlan):
        return built
    entries = shapes.horizon * shapes.channels * int(np.prod(shapes.space))
    return BridgeNetwork(built, entries, recipe.process)


def denoiser_of(
    recipe: Recipe,
    network: nn.Module,
    sigma_data: float = 1.0,
    starts: Mapping[str, np.ndarray] | None = None,
) -> Answers:
    """The denoiser that a recipe's process asks for.

    Args:
        recipe: names the process and the objective.
        network: what is trained.
        sigma_data: deviation of canonical clips.
        starts: clips that a process between two laws starts from.
    """
    process = recipe.process
    if isinstance(process, Masked):
        return TokenDenoiser(network, process)
    if isinstance(process, TwoSided):
        clips = torch.from_numpy(starts["clips"]) if starts else None
        law = None if clips is None else Resampled(clips, process.cloud)
        return EndsDenoiser(network, process, Anchored(), law)
    if isinstance(process, BridgePlan) and isinstance(network, BridgeNetwork):
        return BridgeDenoiser(network, process, Anchored())
    kind = FlowMap if isinstance(recipe.objective, FlowObjective) else Denoiser
    return kind(network, process.build(anchored=True), sigma_data=sigma_data)


def contrast_of(recipe: Recipe) -> NoiseContrastive | None:
    """How an energy of tokens is learned, where a recipe asks for one."""
    return recipe.objective.energy if isinstance(recipe.objective, MaskedCrossEntropy) else None


def energy_of(recipe: Recipe, shapes: Shapes, learned: Mapping[str, Tensor] | None = None) -> TokenEnergy:
    """The energy of a recipe's tokens with the weights learned; without any it corrects nothing."""
    network = recipe.network.build(shapes, recipe.seed)
    if learned is not None:
        network.load_state_dict(learned)
    return TokenEnergy(network, recipe.process).eval()
