"""Multi-head attention that never holds its weights: memory is linear in the number of tokens.

softmax(q k^T / sqrt(d)) v (arXiv:1706.03762, equation 1), by `scaled_dot_product_attention`.
"""

from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Self-attention along one axis of a token array `(b, i, j, width)`.

    Queries, keys and values are separate maps because their heads are then views: no copies for either axis.
    """

    def __init__(self, width: int, heads: int, axis: int) -> None:
        """Attend along `axis` 1 (i, within each j) or 2 (j, within each i)."""
        super().__init__()
        self.heads = heads
        self.axis = axis
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def _split(self, tokens: Tensor) -> Tensor:
        """Tokens `(b, i, j, width)` as `(rows, heads, length, width / heads)`."""
        batch, first, second, width = tokens.shape
        if self.axis == 2:
            return tokens.reshape(batch * first, second, self.heads, -1).transpose(1, 2)
        return tokens.reshape(batch, first, second * self.heads, width // self.heads).transpose(1, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `(b, i, j, width)` to the same shape."""
        mixed = functional.scaled_dot_product_attention(
            self._split(self.query(tokens)), self._split(self.key(tokens)), self._split(self.value(tokens))
        )
        return self.out(mixed.transpose(1, 2).reshape(tokens.shape))
