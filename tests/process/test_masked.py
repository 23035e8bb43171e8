"""Masked tokens: when they are hidden, what of them is shown, and what is no token."""

import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.denoise import Denoiser
from rheos.process import Masked
from rheos.process.masked import MASK
from rheos.sample import sample

NUMBERS = (torch.arange(4096, dtype=torch.float64) + 0.5) / 4096


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("t", [0.0, 0.2, 0.7, 1.0])
def test_a_share_of_one_minus_alpha_is_hidden(power, t):
    """Over evenly spread numbers the share is exact to one of them, and follows alpha(t) = 1 - t^power."""
    process, time = Masked(values=(3,), power=power), torch.tensor(t, dtype=torch.float64)
    tokens = process.diffuse(torch.full((1, 4096), 2), time, NUMBERS[None])
    assert float((tokens == MASK).double().mean()) == pytest.approx(1 - float(process.alpha(time)), abs=3e-4)
    assert float(process.alpha(time)) == pytest.approx(1 - t**power, abs=1e-12)
    assert set(tokens[tokens != MASK].tolist()) <= {2}


def test_what_is_hidden_stays_hidden():
    process, x0 = Masked(values=(3,)), torch.full((1, 4096), 3)
    early = process.diffuse(x0, torch.tensor(0.3), NUMBERS[None]) == MASK
    late = process.diffuse(x0, torch.tensor(0.6), NUMBERS[None]) == MASK
    assert bool((late | ~early).all())


def test_the_time_of_a_token_is_where_it_becomes_hidden():
    process, w = Masked(values=(2,), power=2.0), torch.tensor([[0.36]], dtype=torch.float64)
    (time,) = process.hidden_at(w).flatten().tolist()
    assert time == pytest.approx(0.6)
    token, near = torch.ones(1, 1, dtype=torch.int64), torch.tensor([-1e-9, 1e-9], dtype=torch.float64)
    shown = [int(process.diffuse(token, t, w)) for t in time + near]
    assert shown == [1, MASK]


def test_networks_see_a_one_at_the_value():
    shown = Masked(values=(3,)).shown(torch.tensor([[1, 3, MASK]]))
    assert shown.tolist() == [[[1, 0, 0], [0, 0, 1], [0, 0, 0]]]


def test_channels_have_values_of_their_own():
    process = Masked(values=(2, 3))
    assert process.possible((2,)).tolist() == [[True, True, False], [True, True, True]]
    assert process.possible((2, 4)).shape == (2, 1, 3)
    clip = torch.tensor([[[2.0, 3.0]]])
    assert process.canonical(clip, Context()).tolist() == [[[2, 3]]]
    with pytest.raises(InputError, match="holds 3, which is none of its values, 1 to 2 and 3"):
        process.canonical(clip.flip(2), Context())
    with pytest.raises(InputError, match="values of 2 channels"):
        process.possible((3,))


@pytest.mark.parametrize("wrong", [0.5, -1.0, 4.0])
def test_what_is_no_token_is_refused(wrong):
    with pytest.raises(InputError, match="none of its values, 1 to 3"):
        Masked(values=(3,)).canonical(torch.tensor([[wrong]]), Context())


def test_missing_entries_are_the_mask_whatever_they_hold():
    mask = torch.tensor([[1.0, 0.0, 1.0]])
    clip = torch.tensor([[2.0, 99.0, torch.nan]])
    assert Masked(values=(3,)).canonical(clip, Context(mask=mask)).tolist() == [[2, MASK, MASK]]


def test_generation_starts_hidden_but_for_the_history():
    mask = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    context = Context(history_frames=2, history=torch.tensor([[3.0, 1.0]]), mask=mask)
    assert Masked(values=(3,)).start(context, (1, 4)).tolist() == [[3, MASK, MASK, MASK]]
    with pytest.raises(IncompatibleError, match="history"):
        Masked(values=(3,)).start(Context(history_frames=2), (1, 4))


def test_what_is_written_by_alpha_and_sigma_refuses_it():
    with pytest.raises(IncompatibleError, match="hides whole numbers"):
        Denoiser(torch.nn.Identity(), Masked(values=(2,)), "noise")
    with pytest.raises(IncompatibleError, match="hides whole numbers"):
        sample(lambda u, t, context: None, (1, 2, 1), key=Key.of(0, 1), process=Masked(values=(2,)))
