"""What a continued run must not lose: weights that were best before the run was cut off."""

import torch
from torch import nn

from rheos.train.loop import Run
from rheos.train.settings import Training


class Cut(Exception):
    """Stands for a kill."""


def trained(folder, cut_at=None):
    """Thirty steps whose held-out score only gets worse, so the first of three checks is the best.

    But for the untrained network, which is far worse.
    """
    model = nn.Linear(3, 1)
    with torch.no_grad():
        model.weight.fill_(0.5)
        model.bias.zero_()

    def loss(net, step):
        if step == cut_at:
            raise Cut
        return (net(torch.full((4, 3), 1.0 + step)) - 7).square().flatten()

    def validate(net):
        return float(run.record.stopped or 1000)

    folder.mkdir(exist_ok=True)
    run = Run(model, loss, validate, Training(checks=3), 30, folder)
    try:
        return run(), model
    except Cut:
        return trained(folder)


def test_the_best_weights_survive(tmp_path):
    whole, expected = trained(tmp_path / "whole")
    cut, found = trained(tmp_path / "cut", cut_at=25)
    assert whole.best_step == cut.best_step == 10
    assert torch.equal(expected.weight, found.weight)
