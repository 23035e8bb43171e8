"""Planted errors of the backbones: (file, line as it is, the same line gone wrong)."""

_ROOM = "src/rheos/network/"
_EQUIVARIANT = _ROOM + "equivariant.py"
_BLOCK = _ROOM + "equivariant_block.py"
_TURNS = "tests/network/test_equivariant.py"

PLANTED = [
    (
        _ROOM + "inputs.py",
        "torch.stack(((x - anchor) / scale * mask,",
        "torch.stack(((x - anchor) / scale,",
    ),
    (
        _ROOM + "inputs.py",
        "present = (lagged != 0).to(x.dtype)",
        "present = (lagged == 0).to(x.dtype)",
    ),
    (
        _ROOM + "inputs.py",
        "history = (history - anchor[:, past]) / scale[:, past]",
        "history = (history - anchor[:, past]) * scale[:, past]",
    ),
    (
        _ROOM + "inputs.py",
        "(lagged - anchor[:, :, None]) * present,",
        "(lagged + anchor[:, :, None]) * present,",
    ),
    (
        _ROOM + "embedding.py",
        "angle = values[..., None] * (2.0 * math.pi / periods)",
        "angle = values[..., None] * (math.pi / periods)",
    ),
    (
        _ROOM + "attention.py",
        "if self.axis == 2:",
        "if self.axis == 1:",
    ),
    (
        _ROOM + "modulation.py",
        "return torch.addcmul(shift, self.norm(tokens), 1 + scale)",
        "return torch.addcmul(shift, self.norm(tokens), scale)",
    ),
    (
        _ROOM + "linear_path.py",
        "self.expand = zeroed(nn.Linear(rank, outputs, bias=bias))",
        "self.expand = nn.Linear(rank, outputs, bias=bias)",
    ),
    (
        _ROOM + "linear_path.py",
        "gain * common, self.scatter",
        "common, self.scatter",
        "tests/network/test_parts.py",
    ),
    (
        _ROOM + "linear_path.py",
        "functional.normalize(self.gather(channels), dim=0)",
        "functional.normalize(self.gather(channels), dim=1)",
        "tests/network/test_parts.py",
    ),
    (
        _ROOM + "linear_path.py",
        "self.modes = min(channels, _MODES)",
        "self.modes = 1",
        "tests/network/test_parts.py",
    ),
    (
        _ROOM + "series.py",
        "level.amin(2), self.embed_channel)",
        "level.amin(2))",
        "tests/network/test_backbones.py",
    ),
    (
        _ROOM + "causal.py",
        "hidden = hidden + self.modes(reduced, told, channels)",
        "pass",
        "tests/network/test_backbones.py",
    ),
    (
        _ROOM + "series.py",
        "self.before = -shapes.history % patch",
        "self.before = -shapes.horizon % patch",
    ),
    (
        _ROOM + "field_block.py",
        "grid = torch.cat((grid[:, :, -1:], grid, grid[:, :, :1]), dim=2)",
        "grid = torch.cat((grid[:, :, :1], grid, grid[:, :, -1:]), dim=2)",
    ),
    (
        _ROOM + "field_block.py",
        "grid = grid.index_select(axis, index % size if wraps else index.clamp(max=size - 1))",
        "grid = grid.index_select(axis, index.clamp(max=size - 1))",
    ),
    (
        _ROOM + "field.py",
        "pixels = grid.movedim(1, 3).flatten(1, 2).flatten(2)",
        "pixels = grid.flatten(1, 3).reshape(x.shape[0], grid.shape[2] * grid.shape[3], -1)",
    ),
    (
        "src/rheos/core/initialization.py",
        "torch.random.set_rng_state(state)",
        "torch.random.get_rng_state()",
    ),
    (_ROOM + "causal.py", "hidden = (distance < 0) |", "hidden =", "tests/network/test_causal.py"),
    (
        _ROOM + "causal.py",
        "(distance >= self.span) &",
        "(distance > self.span) &",
        "tests/network/test_causal.py",
    ),
    (
        _ROOM + "causal.py",
        "(places > count - self.span)",
        "(places > count - self.span + 1)",
        "tests/network/test_causal.py",
    ),
    (_ROOM + "causal.py", "(places < self.sinks) | (places >", "(places >", "tests/network/test_causal.py"),
    (
        _ROOM + "causal.py",
        "asking[:, None] - places\n",
        "asking[:, None] - torch.arange(len(places))\n",
        "tests/network/test_causal.py",
    ),
    (
        _ROOM + "causal.py",
        "inputs.shape[2] - self.span + 1)",
        "inputs.shape[2] - self.span + 2)",
        "tests/network/test_causal.py",
    ),
    (
        _ROOM + "causal.py",
        "torch.cat((past[0], keys), 2)",
        "torch.cat((keys, past[0]), 2)",
        "tests/network/test_causal.py",
    ),
    (
        _ROOM + "causal.py",
        "inputs[:, :, first:].clone()",
        "inputs[:, :, first:]",
        "tests/network/test_causal.py",
    ),
    (
        "src/rheos/network/inputs.py",
        "values = torch.arange(1, shapes.values + 1, device=x.device)",
        "values = torch.arange(shapes.values, device=x.device)",
        "tests/network/test_series.py",
    ),
    (
        "src/rheos/network/series.py",
        "mean, lowest = patched.mean(3), patched.amin(3)",
        "mean, lowest = patched.mean(3).mean(1, True), patched.amin(3).amin(1, True)",
        "tests/network/test_backbones.py",
    ),
    (
        "src/rheos/network/inputs.py",
        "told.expand(*x.shape[:2], shapes.levels)",
        "told.amin(2, True).expand(*x.shape[:2], shapes.levels)",
        "tests/network/test_backbones.py",
    ),
    (
        "src/rheos/network/field.py",
        "torch.cat((level, lowest), dim=-1)",
        "torch.cat((level.roll(1, 2), lowest), dim=-1).amin(2, True).expand(-1, -1, level.shape[2] + 1)",
        "tests/network/test_backbones.py",
    ),
    (_EQUIVARIANT, "(places - origin) / scale * here", "places / scale * here", _TURNS),
    (_EQUIVARIANT, "over_clip((history - origin[:, past])", "over_clip((history)", _TURNS),
    (_EQUIVARIANT, "/ scale[..., None] * known_lag", "/ scale[..., None]", _TURNS),
    (_EQUIVARIANT, "nn.Linear(count, vectors, bias=False)", "nn.Linear(count, vectors)", _TURNS),
    (_EQUIVARIANT, "nn.Linear(vectors, 1, bias=False)", "nn.Linear(vectors, 1)", _TURNS),
    (_EQUIVARIANT, "shapes.frames, rank, bias=False)", "shapes.frames, rank)", _TURNS),
    (_EQUIVARIANT, "present = mask.amin(2)", "present = mask[:, :, 0] * 0 + 1", _TURNS),
    (_EQUIVARIANT, "dim=1, descending=True", "dim=1, descending=False", _TURNS),
    (_EQUIVARIANT, "(first * second).sum(-1)", "(first * second)[..., 0]", _TURNS),
    (_EQUIVARIANT, "self.constants, x.shape[3]).transpose(1, 2)", "x.shape[3], self.constants)", _TURNS),
    (_EQUIVARIANT, "x.new_ones((*present.shape, 1))", "places[..., :1].abs()", _TURNS),
    (_EQUIVARIANT, "(answer + linear) * present[..., None]", "answer + linear", _TURNS),
    (_BLOCK, "square = vectors.square().sum(-1)", "square = vectors[..., 0].square()", _TURNS),
    (_BLOCK, "unit = part / (1 + (part.square()", "unit = part / (1 + (part.abs()", _TURNS),
    (_BLOCK, "gates = (self.gates(message) * kept)", "gates = self.gates(message)", _TURNS),
    (_BLOCK, "(message * kept).sum(3)", "message.sum(3)", _TURNS),
    (_BLOCK, "steps[:, None] - steps + len(steps) - 1", "steps - steps + len(steps) - 1", _TURNS),
    (
        _BLOCK,
        "self.merge = zeroed(nn.Linear(vectors, vectors, bias=False))",
        "self.merge = zeroed(nn.Linear(vectors, vectors))",
        _TURNS,
    ),
    (_BLOCK, "lengths(mixed)), dim=-1)", "mixed[..., 0]), dim=-1)", _TURNS),
]
