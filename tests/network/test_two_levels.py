"""Networks of flow maps: told where a step ends, by themselves where it starts; stages in rows of clips."""

import pytest
import torch

from rheos.network import CausalSeriesNetwork, EquivariantNetwork, FieldNetwork, SeriesNetwork

SMALL = {
    "series": SeriesNetwork(width=8, depth=2, heads=2, rank=4, patch=2),
    "causal": CausalSeriesNetwork(width=8, depth=2, heads=2, rank=4),
    "field": FieldNetwork(base=8, multipliers=(1, 2), patch=2, detail=4, rank=6),
    "equivariant": EquivariantNetwork(width=8, vectors=4, depth=2, heads=2, rank=4),
}
SPACE = {"field": (6, 9), "equivariant": (3,)}
every = pytest.mark.parametrize("name", SMALL)


def built(name, case, awake, **words):
    """A network of the kind with a clip it takes."""
    full = case(space=SPACE.get(name, ()))
    if name == "equivariant":
        full = full.changed(static=None, coordinates=None)
    shapes = full.shapes.model_copy(update=words)
    return awake(SMALL[name].build(shapes)), full


@every
def test_without_an_end_a_step_ends_where_it_starts(name, case, awake):
    network, full = built(name, case, awake, two_levels=True)
    assert network.two_levels
    answer = network(full.x, full.level, full.context)
    assert torch.equal(network(full.x, full.level, full.context, full.level), answer)
    until = torch.where(full.level < 20.0, full.level + 2.0, full.level)
    moved = network(full.x, full.level, full.context, until=until)
    assert (moved - answer).abs()[:, full.context.history_frames :].mean() > 1e-3


@every
def test_both_paths_are_told_the_end(name, case, awake):
    """With either the linear path or the body silenced, the other still follows where the step ends."""
    for silenced in ("linear", "body"):
        network, full = built(name, case, awake, two_levels=True)
        until = torch.where(full.level < 20.0, full.level + 3.0, full.level)
        last = {"series": "head", "causal": "head", "field": "leave", "equivariant": "leave"}[name]
        part = network.linear if silenced == "linear" else getattr(network, last)
        with torch.no_grad():
            for parameter in part.parameters():
                parameter.zero_()
        answers = [network(full.x, full.level, full.context, end) for end in (None, until)]
        assert (answers[1] - answers[0]).abs().mean() > 1e-4, silenced


@every
def test_a_network_of_one_level_is_what_it_was(name, case, awake):
    network, full = built(name, case, awake)
    assert not network.two_levels
    answer = network(full.x, full.level, full.context)
    assert torch.equal(network(full.x, full.level, full.context, full.level + 2.0), answer)


@every
def test_stages_show_features_clip_after_clip(name, case, awake):
    network, full = built(name, case, awake, two_levels=True)
    found = []

    def keep(module, inputs, output):
        found.append((output[0] if isinstance(output, tuple) else output).reshape(len(full.x), -1))

    handles = [stage.register_forward_hook(keep) for stage in network.stages]
    network(full.x, full.level, full.context)
    first, count = list(found), len(found)
    other = full.x.clone()
    other[0] += 1.0
    network(other, full.level, full.context)
    for handle in handles:
        handle.remove()
    assert count >= 2
    for before, after in zip(first, found[count:], strict=True):
        assert torch.equal(before[1], after[1])
        assert (before[0] - after[0]).abs().max() > 1e-6


def test_frames_may_end_their_steps_apart(case, awake):
    """Each frame of the causal network is told its own end, and no later frame's reaches it."""
    network, full = built("causal", case, awake, two_levels=True)
    late = full.level.clone()
    late[:, 7] = full.level[:, 7] + 2.0
    answers = [network(full.x, full.level, full.context, end) for end in (None, late)]
    changed = (answers[1] - answers[0]).abs().amax((0, 2))
    assert changed[:7].max() == 0.0 < changed[7:].min()
