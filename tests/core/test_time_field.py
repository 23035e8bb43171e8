"""The time field: left-aligned broadcasting, and the levels made of it."""

import pytest
import torch

from rheos.core.errors import IncompatibleError
from rheos.core.time_field import clip_level, expand, per_clip, per_frame, with_clean_history, with_history_at

CLIP = torch.zeros(2, 3, 2, 3)


@pytest.mark.parametrize("shape", [(), (2,), (1,), (2, 3), (1, 3), (2, 1), (2, 3, 2), (2, 3, 2, 3)])
def test_expand_aligns_on_the_left(shape):
    """Entry (i, j, k, l) of the clip gets entry (i, j, ...) of the field, by loops."""
    field = torch.arange(1.0, 1 + max(1, torch.tensor(shape).prod().item())).reshape(shape)
    full = expand(field, CLIP).expand_as(CLIP)
    for index in [(0, 0, 0, 0), (1, 2, 1, 2), (1, 0, 1, 0), (0, 2, 0, 1)]:
        own = tuple(0 if n == 1 else i for i, n in zip(index, shape, strict=False))
        assert full[index] == field[own]


def test_expand_takes_the_clips_dtype():
    assert expand(torch.zeros((), dtype=torch.float64), CLIP).dtype == torch.float32


@pytest.mark.parametrize("shape", [(3,), (2, 2), (2, 3, 3), (2, 3, 2, 3, 1)])
def test_a_field_that_does_not_lead_the_clip_is_refused(shape):
    """A field aligned on the right by accident, (3,) on a clip whose last axis is 3, must not pass."""
    with pytest.raises(IncompatibleError, match="does not lead"):
        expand(torch.zeros(shape), CLIP)


def test_per_frame_and_per_clip_keep_the_largest_time():
    field = torch.tensor([[[0.1, 0.4], [0.0, 0.2]], [[0.0, 0.0], [0.9, 0.3]]])
    assert torch.equal(per_frame(field, 2, 2), torch.tensor([[0.4, 0.2], [0.0, 0.9]]))
    assert torch.equal(per_clip(field), torch.tensor([0.4, 0.9]))
    assert torch.equal(per_clip(field[:, :, 0]), torch.tensor([0.1, 0.9]))
    assert per_clip(torch.tensor(0.3)) == torch.tensor(0.3)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (torch.tensor(0.5), [[0.5] * 3] * 2),
        (torch.tensor([0.5, 0.6]), [[0.5] * 3, [0.6] * 3]),
        (torch.tensor([[0.1, 0.2, 0.3]]), [[0.1, 0.2, 0.3]] * 2),
    ],
)
def test_per_frame_gives_every_frame_its_time(field, expected):
    assert torch.equal(per_frame(field, 2, 3), torch.tensor(expected))


def test_clean_history_is_at_time_zero():
    field = with_clean_history(torch.tensor([0.5, 0.7]), 2, 3)
    assert torch.equal(field, torch.tensor([[0.0, 0.0, 0.5], [0.0, 0.0, 0.7]]))
    assert torch.equal(with_clean_history(torch.tensor(0.5), 1, 2), torch.tensor([[0.0, 0.5]]))


def test_history_may_have_a_time_of_its_own_for_each_clip():
    own, each = torch.tensor([0.1, 0.2]), torch.tensor([[0.5, 0.6, 0.7]])
    expected = torch.tensor([[0.1, 0.6, 0.7], [0.2, 0.6, 0.7]])
    assert torch.equal(with_history_at(own, each, 1, 3), expected)
    assert torch.equal(with_history_at(own, torch.tensor(0.9), 2, 3)[:, 2], torch.tensor([0.9, 0.9]))


def test_the_level_is_log_snr_within_twenty_and_clean_is_plus_twenty():
    level = clip_level(torch.tensor([torch.inf, torch.nan, 3.0, -25.0, -torch.inf, 21.0]))
    assert torch.equal(level, torch.tensor([20.0, 20.0, 3.0, -20.0, -20.0, 20.0]))
