"""The exact denoiser of tokens that follow a Markov chain along frames: p(x_k = v | what is shown).

Forward and backward sums, a_k = (a_(k-1) P) e_k and b_(k-1) = P (e_k b_k), e_k being 1 at a shown token's
value and 1 everywhere for a hidden one; the posterior is a_k b_k over its sum (Rabiner 1989, "A tutorial on
hidden Markov models", Proc. IEEE 77).
"""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.process.masked import MASK, Masked


class ChainOracle:
    """Exact log posterior of every token given those shown; implements the DenoiseTokens protocol.

    The features of a clip are independent chains of the same law.

    Attributes:
        initial: law of the first frame, `(K,)`, float64.
        transition: from a value (row) to the next frame's, `(K, K)`, float64.
        process: of tokens with K values.
    """

    def __init__(self, initial: Tensor, transition: Tensor) -> None:
        """State the chain.

        Args:
            initial: `(K,)`, adding up to 1.
            transition: `(K, K)`, each row adding up to 1.

        Raises:
            InputError: they are no probabilities of the same values.
        """
        self.initial = initial.detach().to("cpu", torch.float64)
        self.transition = transition.detach().to("cpu", torch.float64)
        count, rows = len(self.initial), self.transition
        if rows.shape != (count, count) or not all(map(_adds_up, (self.initial, *rows))):
            raise InputError(
                f"a chain of {count} values needs a ({count}, {count}) matrix of transitions, and every row "
                "of both adds up to 1 with nothing below 0."
            )
        self.process = Masked(values=(count,))

    def __call__(
        self, tokens: Int64[Tensor, "b f *features"], context: Context | None = None
    ) -> Float64[Tensor, "b f *features K"]:
        """log p(x_0 = v | what is shown); of a shown token 0 at its value, -inf elsewhere."""
        forward, evidence = self._forward(tokens)
        backward = torch.ones_like(evidence)
        for frame in range(tokens.shape[1] - 2, -1, -1):
            backward[:, frame] = (evidence[:, frame + 1] * backward[:, frame + 1]) @ self.transition.T
            backward[:, frame] /= backward[:, frame].sum(-1, keepdim=True)
        joint = forward * backward
        return torch.log(joint / joint.sum(-1, keepdim=True)).to(tokens.device)

    def log_prob(self, tokens: Int64[Tensor, "b f *features"]) -> Float64[Tensor, " b"]:
        """log p of what is shown, summed over what is hidden."""
        forward, evidence = self._forward(tokens)
        before = torch.cat((self.initial.expand_as(forward[:, :1]), forward[:, :-1] @ self.transition), 1)
        return torch.log((before * evidence).sum(-1)).flatten(1).sum(1).to(tokens.device)

    def _forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """p(x_k | shown up to k) and e_k, each `(b, f, *features, K)`."""
        tokens = tokens.cpu()
        hidden = (tokens == MASK)[..., None]
        evidence = torch.where(hidden, 1, self.process.shown(tokens)).to(torch.float64)
        forward = torch.empty_like(evidence)
        law = self.initial
        for frame in range(tokens.shape[1]):
            filtered = law * evidence[:, frame]
            forward[:, frame] = filtered / filtered.sum(-1, keepdim=True)
            law = forward[:, frame] @ self.transition
        return forward, evidence


def _adds_up(law: Tensor) -> bool:
    """Whether numbers are probabilities."""
    return bool((law >= 0).all()) and abs(float(law.sum()) - 1.0) < 1e-6
