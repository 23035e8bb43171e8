"""Planted errors of the process room: (file, line as written, line with the error); fast tests kill each."""

_ALONG = "src/rheos/process/noise/along_frames.py"
_FRACTIONAL = "src/rheos/process/noise/fractional.py"
_MARKOV = "src/rheos/process/noise/markov_fractional.py"
_ACROSS = "src/rheos/process/noise/across_variables.py"
_MOMENTS = "src/rheos/process/noise/moments.py"
_MEASURED = "src/rheos/process/noise/measured.py"

PLANTED = [
    (
        "src/rheos/process/schedule/cosine.py",
        "product = torch.sin(turned) * torch.sin(turned + 2.0 * self._first)",
        "product = torch.sin(turned) * torch.sin(turned + self._first)",
    ),
    (
        "src/rheos/process/schedule/cosine.py",
        "return -self.alpha(t) * self.d_alpha(t) / self.sigma(t)",
        "return self.alpha(t) * self.d_alpha(t) / self.sigma(t)",
    ),
    (
        "src/rheos/process/schedule/cosine.py",
        "squared = math.cos(self._first) ** 2",
        "squared = math.cos(self._first)",
    ),
    (
        "src/rheos/process/schedule/linear_rate.py",
        "return self.beta_start * t + 0.5 * (self.beta_end - self.beta_start) * t**2",
        "return self.beta_start * t + 0.5 * self.beta_end * t**2",
    ),
    (
        "src/rheos/process/schedule/linear.py",
        "return 0.5 * self.rate(t) * self.alpha(t) ** 2 / self.sigma(t)",
        "return 0.5 * self.rate(t) * self.alpha(t) / self.sigma(t)",
    ),
    (
        "src/rheos/process/schedule/edm.py",
        "return math.pow(self.sigma_min / self.sigma_max, 1.0 / self.rho)",
        "return math.pow(self.sigma_min / self.sigma_max, 1.0 / (self.rho - 1.0))",
    ),
    (
        "src/rheos/process/schedule/cond_ot.py",
        "return torch.sigmoid(-0.5 * log_snr)",
        "return torch.sigmoid(-log_snr)",
    ),
    (
        "src/rheos/process/schedule/base.py",
        "return 2.0 * (torch.log(self.alpha(t)) - torch.log(self.sigma(t)))",
        "return torch.log(self.alpha(t)) - torch.log(self.sigma(t))",
    ),
    (
        "src/rheos/process/coordinates/frame_mixing.py",
        "powers[..., 1:] *= torch.sqrt(1.0 - r**2)[..., None]",
        "powers *= torch.sqrt(1.0 - r**2)[..., None]",
    ),
    (
        "src/rheos/process/coordinates/frame_mixing.py",
        "return math.sqrt(1.0 - self.floor) * Cosine(offset=self.offset).sigma(t)",
        "return math.sqrt(self.floor) * Cosine(offset=self.offset).sigma(t)",
    ),
    (
        "src/rheos/process/coordinates/frame_mixing.py",
        "later = expand(scale, x) * x[:, 1:] - expand(r * scale, x) * x[:, :-1]",
        "later = expand(scale, x) * x[:, 1:] + expand(r * scale, x) * x[:, :-1]",
    ),
    (
        "src/rheos/process/coordinates/frame_mixing.py",
        "return ((frames - 1) * math.prod(features) * half).expand(rows)",
        "return (frames * math.prod(features) * half).expand(rows)",
    ),
    (
        "src/rheos/process/coordinates/anchored.py",
        "return e if context.anchor_scale is None else e * context.anchor_scale",
        "return e",
    ),
    (
        "src/rheos/process/coordinates/base.py",
        "for factor in (self, inner):",
        "for factor in (inner, self):",
    ),
    (_MOMENTS, "flat.shape[1] * math.log", "math.log"),
    (_ACROSS, "entries / len(clips))) ** 2", "entries / len(clips)))"),
    (_ACROSS, ", _MODES)", ", 1)"),
    (_ACROSS, "standard_log_prob(w) - spread", "standard_log_prob(w) + spread"),
    (
        "src/rheos/process/schedule/linear_rate.py",
        "slope = self.beta_end - self.beta_start",
        "slope = self.beta_end",
    ),
    (
        "src/rheos/process/schedule/sub_vp.py",
        "return -torch.expm1(-self.integral(t))",
        "return torch.sqrt(-torch.expm1(-self.integral(t)))",
    ),
    (
        "src/rheos/process/schedule/sub_vp.py",
        "return self.rate(t) * self.alpha(t) ** 2",
        "return self.rate(t) * self.alpha(t)",
    ),
    (
        "src/rheos/process/schedule/sub_vp.py",
        "2.0 * torch.asinh(0.5 * torch.exp(-0.5 * log_snr))",
        "2.0 * torch.asinh(torch.exp(-0.5 * log_snr))",
    ),
    (
        "src/rheos/process/schedule/variance_exploding.py",
        "return self.sigma_min * torch.sqrt(torch.expm1(2.0 * self._growth * t))",
        "return self.sigma_min * torch.exp(self._growth * t)",
    ),
    (
        "src/rheos/process/schedule/variance_exploding.py",
        "return self.sigma_min**2 * self._growth * torch.exp(2.0 * self._growth * t) / self.sigma(t)",
        "return self._growth * self.sigma(t)",
    ),
    (
        "src/rheos/process/schedule/variance_exploding.py",
        "excess = -log_snr - 2.0 * math.log(self.sigma_min)",
        "excess = -log_snr - math.log(self.sigma_min)",
    ),
    (
        "src/rheos/process/schedule/kinetic_optimal.py",
        "error = float((truth - mean).square().mean()) / level**2",
        "error = float((truth - mean).square().mean())",
    ),
    (
        "src/rheos/process/schedule/kinetic_optimal.py",
        "x, y = 1.0 - t + t * math.cos(self.turn), t * math.sin(self.turn)",
        "x, y = 1.0 - t, t * math.sin(self.turn)",
    ),
    (
        "src/rheos/process/schedule/kinetic_optimal.py",
        "here = torch.sqrt(g[cell] ** 2 + 2.0 * slope * away)",
        "here = torch.sqrt(g[cell] ** 2 + slope * away)",
    ),
    (
        "src/rheos/process/schedule/kinetic_optimal.py",
        "return radius, along, eta, math.sin(self.turn) / (radius * g)",
        "return radius, along, eta, math.sin(self.turn) / radius",
    ),
    (
        "src/rheos/process/recipes.py",
        "if self.schedule != KineticOptimal():",
        "if self.schedule == KineticOptimal():",
    ),
    (
        "src/rheos/process/process.py",
        "variance = self.schedule.sigma(s) ** 2 - (ratio * self.schedule.sigma(t)) ** 2",
        "variance = self.schedule.sigma(s) ** 2 - self.schedule.sigma(t) ** 2",
    ),
    (
        "src/rheos/process/process.py",
        "u0 = torch.where(present, u0, 0.0)",
        "u0 = 1.0 * u0",
    ),
    (
        "src/rheos/process/process.py",
        "return self.canonical(padded, context)",
        "return padded",
    ),
    (
        "src/rheos/process/recipes.py",
        "Anchored() * coordinates if anchored",
        "coordinates * Anchored() if anchored",
    ),
    (
        "src/rheos/core/time_field.py",
        "field[:, :history] = own.reshape(-1, 1, ",
        "field[:, : history - 1] = own.reshape(-1, 1, ",
    ),
    (
        "src/rheos/core/time_field.py",
        "return field if field.ndim < 2 else field.flatten(1).amax(1)",
        "return field if field.ndim < 2 else field.flatten(1).amin(1)",
    ),
    (
        "src/rheos/process/noise/along_frames.py",
        "return torch.linalg.cholesky(noise.correlation(frames)[known:, known:])",
        "return torch.linalg.cholesky(noise.correlation(frames)[known:, known:]).mT",
    ),
    (
        "src/rheos/process/noise/along_frames.py",
        "spread = math.prod(z.shape[2:]) * float(",
        "spread = float(",
    ),
    (
        "src/rheos/process/noise/along_frames.py",
        "* torch.eye(len(kernel), dtype=kernel.dtype)) / (1.0 + jitter)",
        "* torch.eye(len(kernel), dtype=kernel.dtype))",
    ),
    (
        "src/rheos/process/noise/ornstein_uhlenbeck.py",
        "return torch.exp(-lags(frames) / self.length)",
        "return torch.exp(-lags(frames) * self.length)",
    ),
    (
        "src/rheos/process/noise/ornstein_uhlenbeck.py",
        "-lags(frames)",
        "-0.5 * lags(frames)",
    ),
    (
        "src/rheos/process/noise/squared_exponential.py",
        "torch.exp(-0.5 * (lags(frames) / self.length) ** 2)",
        "torch.exp(-((lags(frames) / self.length) ** 2))",
    ),
    (
        "src/rheos/process/noise/squared_exponential.py",
        "with_jitter(torch.exp(-0.5 * (lags(frames) / self.length) ** 2), self.jitter)",
        "torch.exp(-0.5 * (lags(frames) / self.length) ** 2)",
    ),
    (
        "src/rheos/process/noise/periodic.py",
        "torch.sin(math.pi * lags(frames) / self.period)",
        "torch.sin(2.0 * math.pi * lags(frames) / self.period)",
    ),
    (
        "src/rheos/process/noise/periodic.py",
        "-2.0 * (sine / self.length) ** 2",
        "-2.0 * sine**2 / self.length",
    ),
    (
        "src/rheos/process/noise/fractional_gaussian.py",
        "- 2.0 * lag**power",
        "- lag**power",
    ),
    (
        "src/rheos/process/noise/fractional_gaussian.py",
        "(lag - 1.0).abs()",
        "(lag - 1.0).clamp(min=0.0)",
    ),
    (_MOMENTS, "covariance = values.T @ values / both", "covariance = values.T @ values / len(values)"),
    ("src/rheos/process/process.py", "present.flip(1).cumsum(1).flip(1) > 0", "present.cumsum(1) > 0"),
    (_MOMENTS, "size.clamp(min=0.0)", "size.abs()"),
    (_ACROSS, "AcrossVariables.of(clips[:, known:])", "AcrossVariables.of(clips)"),
    (_ACROSS, "(size[-kept:] - left)", "size[-kept:]"),
    (_ACROSS, "(self, math.prod(shape[1:])).to(w).T", "(self, math.prod(shape[1:])).to(w)"),
    (_ACROSS, "spread = z.shape[1] * float", "spread = float"),
    (_ACROSS, "math.sqrt(entries / len(clips))", "math.sqrt(entries / clips.numel())"),
    (_ACROSS, "modes[:, -kept:] *", "modes[:, :kept] *"),
    (_ACROSS, "/ most.sqrt()", "/ most"),
    (
        "src/rheos/denoise/oracle/gaussian.py",
        "torch.eye(entries, dtype=torch.float64) if across is None else across",
        "torch.eye(entries, dtype=torch.float64)",
    ),
    (_MEASURED, "found[-count:, -count:] =", "found[:count, :count] ="),
    (_MOMENTS, "covariance / (root[:, None] * root)", "covariance / root"),
    (_MEASURED, "with_jitter(sample_correlation(clips), _JITTER)", "sample_correlation(clips)"),
    ("src/rheos/process/recipes.py", "self.prior.learned(u0, known)", "self.prior.learned(u0)"),
    ("src/rheos/process/recipes.py", "self.noise.learned(u0, known)", "self.noise.learned(u0)"),
    (_MEASURED, "Measured.of(clips[:, known:])", "Measured.of(clips)"),
    (
        _FRACTIONAL,
        "sample_correlation(clips[:, known:])",
        "sample_correlation(clips[:, :-known])",
    ),
    (_FRACTIONAL, "(clips.shape[1])[known:, known:]", "(clips.shape[1] - known)"),
    (_FRACTIONAL, "2.0 * factor.diagonal()", "factor.diagonal()"),
    (_MARKOV, "(1.0 + torch.expm1(-both) / both) / both", "(1.0 + torch.expm1(-both)) / both"),
    (_MARKOV, "self.index + 0.5", "self.index"),
    (_MARKOV, "a / g * torch.special", "g / a * torch.special"),
    (_MARKOV, "/ g**a", "* g**a"),
    (_MARKOV, "-both * first", "-both"),
    (_MARKOV, "-g[:, None] * earlier - g * later", "-g * later"),
    (_MARKOV, "dtype=torch.float64) / frames", "dtype=torch.float64)"),
    (
        "src/rheos/process/noise/fractional_brownian.py",
        "torch.arange(1, frames + 1, dtype=torch.float64)",
        "torch.arange(2, frames + 2, dtype=torch.float64)",
    ),
    (
        "src/rheos/process/noise/fractional_brownian.py",
        "- lags(frames) ** (2.0 * self.index)",
        "- lags(frames) ** self.index",
    ),
    (
        "src/rheos/process/coordinates/gaussian_process.py",
        "return apply(self.prior.factor(u.shape[1]), u)",
        "return apply(self.prior.factor(u.shape[1]).mT, u)",
    ),
    (
        "src/rheos/process/coordinates/gaussian_process.py",
        "total: Tensor = math.prod(features) * each",
        "total: Tensor = each",
    ),
    (
        "src/rheos/process/process.py",
        "filled = torch.where(present, x0, self.read(u0, context))",
        "filled = torch.where(present, x0, 0.0)",
    ),
    (
        "src/rheos/process/recipes.py",
        "return Process(schedule, whole, self.noise, self.history, self.history_noise)",
        "return Process(schedule, whole, history=self.history, history_noise=self.history_noise)",
    ),
    (
        "src/rheos/process/noise/student_t.py",
        "scale = torch.sqrt(self.degrees / q)",
        "scale = torch.sqrt(q / self.degrees)",
    ),
    (
        "src/rheos/process/noise/student_t.py",
        "key.at(Purpose.RADIUS, key.step).uniform(())",
        "key.uniform(())",
    ),
    (
        "src/rheos/process/noise/student_t.py",
        "key.at(Purpose.RADIUS, key.step)",
        "key.at(Purpose.RADIUS)",
    ),
    (
        "src/rheos/process/noise/student_t.py",
        "constant - 0.5 * (d + n) *",
        "constant - 0.5 * d *",
    ),
    (
        "src/rheos/process/noise/student_t.py",
        "- 0.5 * n * math.log(math.pi * d)",
        "- 0.5 * n * math.log(math.pi)",
    ),
    (
        "src/rheos/process/schedule/cosine_rate.py",
        "math.cos(2.0 * self._first) * lag / 4.0",
        "math.cos(self._first) * lag / 4.0",
    ),
    (
        "src/rheos/process/schedule/cosine_rate.py",
        "x**3 / 6 * (1 - x**2 / 20",
        "x**3 / 6 * (1 + x**2 / 20",
    ),
    (
        "src/rheos/process/schedule/cosine_rate.py",
        "torch.exp(-self._scale * self._integral(t))",
        "torch.exp(-2.0 * self._scale * self._integral(t))",
    ),
    (
        "src/rheos/process/schedule/cosine_rate.py",
        "wanted = 0.5 * torch.nn",
        "wanted = torch.nn",
    ),
    (
        "src/rheos/process/recipes.py",
        """from the context's anchor, which this process always needs."""
        '"""\n        return self._process(self.schedule, Anchored(), anchored=False)',
        """from the context's anchor, which this process always needs."""
        '"""\n        return self._process(self.schedule, Identity(), anchored=False)',
    ),
    (
        "src/rheos/process/recipes.py",
        """anchor, the start, which this process always needs."""
        '"""\n        return self._process(self.schedule, Anchored(), anchored=False)',
        """anchor, the start, which this process always needs."""
        '"""\n        return self._process(self.schedule, Identity(), anchored=False)',
        "tests/process/test_interpolant.py",
    ),
    (
        "src/rheos/process/schedule/interpolant.py",
        "torch.hypot(self.start * torch.sin(_HALF * t), self.latent * torch.cos(_HALF * t))",
        "torch.hypot(self.start * torch.sin(_HALF * t), self.latent * torch.ones_like(t))",
        "tests/process/test_interpolant.py",
    ),
    (
        "src/rheos/process/schedule/interpolant.py",
        "(self.start**2 - self.latent**2) * torch.sin(_HALF * t) ** 2",
        "(self.start**2 + self.latent**2) * torch.sin(_HALF * t) ** 2",
        "tests/process/test_interpolant.py",
    ),
    (
        "src/rheos/process/schedule/interpolant.py",
        "torch.hypot(curved, 2.0 * self.start * ratio)",
        "torch.hypot(curved, self.start * ratio)",
        "tests/process/test_interpolant.py tests/process/test_schedule.py",
    ),
    (
        "src/rheos/process/schedule/follmer.py",
        "return self.spread * (1.0 - 1.5 * t) / torch.sqrt(1.0 - t)",
        "return self.spread * (1.0 - t) / torch.sqrt(1.0 - t)",
    ),
    (
        "src/rheos/process/schedule/follmer.py",
        "return self.spread * t * torch.sqrt(1.0 - t)",
        "return self.spread * t * (1.0 - t)",
    ),
    (
        "src/rheos/process/schedule/follmer.py",
        "wanted = log_snr + 2.0 * math.log(self.spread)",
        "wanted = log_snr - 2.0 * math.log(self.spread)",
    ),
    (
        "src/rheos/process/coordinates/bridge.py",
        "torch.addcmul(u, self.share, _start(context))",
        "torch.addcmul(u, 1.0 - self.share, _start(context))",
    ),
    (
        "src/rheos/process/coordinates/bridge.py",
        "return x - expand(t, x) * _start(context)",
        "return x + expand(t, x) * _start(context)",
    ),
    (
        "src/rheos/process/critically_damped.py",
        "rows = [[0.0, sign / self.mass], [-sign, -self.damping / self.mass]]",
        "rows = [[0.0, sign / self.mass], [-sign, -self.damping]]",
        "tests/process/test_critically_damped.py",
    ),
    (
        "src/rheos/process/critically_damped.py",
        "term = (f @ term + term @ f.mT) / (order + 1)",
        "term = (f @ term + term @ f.mT) / order",
        "tests/process/test_critically_damped.py",
    ),
    (
        "src/rheos/process/critically_damped.py",
        "even = 0.5 * slow * (1.0 + torch.exp(-2.0 * root * length))",
        "even = 0.5 * slow * (1.0 + torch.exp(-root * length))",
        "tests/process/test_critically_damped.py",
    ),
    (
        "src/rheos/process/critically_damped.py",
        "decay * torch.sin(root * length) / root",
        "decay * torch.sin(root * length)",
        "tests/process/test_critically_damped.py",
    ),
    (
        "src/rheos/process/critically_damped.py",
        "torch.where(short, series, rest - flow @ rest @ flow.mT)",
        "torch.where(short, rest - flow @ rest @ flow.mT, series)",
        "tests/process/test_critically_damped.py",
    ),
    (
        "src/rheos/process/critically_damped.py",
        "covariance = came + self.initial * self.mass * (velocity @ velocity.mT)",
        "covariance = came + self.initial * (velocity @ velocity.mT)",
        "tests/process/test_critically_damped.py",
    ),
    (
        "src/rheos/process/critically_damped.py",
        "inner = inner - 0.5 * torch.diag_embed",
        "inner = inner - torch.diag_embed",
        "tests/process/test_critically_damped.py",
    ),
    (
        "src/rheos/process/critically_damped.py",
        "math.sqrt(self.initial * self.mass) * v",
        "self.initial * self.mass * v",
        "tests/process/test_critically_damped.py",
    ),
    (
        "src/rheos/process/linear_face.py",
        "return self.spread(signal, mean) - self.mix(precision, state)",
        "return self.spread(signal, mean) + self.mix(precision, state)",
        "tests/process/test_critically_damped.py",
    ),
    (
        "src/rheos/process/linear_face.py",
        "torch.eye(self.parts, dtype=torch.float64)[0], context.history",
        "torch.ones(self.parts, dtype=torch.float64), context.history",
        "tests/process/test_critically_damped.py",
    ),
    (
        "src/rheos/process/linear_face.py",
        "torch.log(known.b[..., 0, :].square().sum(-1))",
        "torch.log(known.b[..., -1, :].square().sum(-1))",
        "tests/process/test_critically_damped.py",
    ),
    (
        "src/rheos/process/masked.py",
        "return 1.0 - t**self.power",
        "return (1.0 - t) ** self.power",
        "tests/process/test_masked.py",
    ),
    (
        "src/rheos/process/masked.py",
        "return w ** (1.0 / self.power)",
        "return w**self.power",
        "tests/process/test_masked.py",
    ),
    (
        "src/rheos/process/masked.py",
        "torch.where(self.hidden_at(w) < t, MASK, tokens)",
        "torch.where(self.hidden_at(w) > t, MASK, tokens)",
        "tests/process/test_masked.py",
    ),
    (
        "src/rheos/process/masked.py",
        "present = present & (context.mask[:, : x0.shape[1]] > 0)",
        "present = present | (context.mask[:, : x0.shape[1]] > 0)",
        "tests/process/test_masked.py",
    ),
    (
        "src/rheos/process/masked.py",
        "return functional.one_hot(tokens, self.most + 1)[..., 1:]",
        "return functional.one_hot(tokens, self.most + 1)[..., :-1]",
        "tests/process/test_masked.py",
    ),
    (
        "src/rheos/process/masked.py",
        "torch.arange(self.most, device=device) < counts",
        "torch.arange(self.most, device=device) <= counts",
        "tests/process/test_masked.py",
    ),
    (
        "src/rheos/process/two_sided.py",
        "return self.latent * (0.5 - t) / torch.sqrt(t * (1.0 - t))",
        "return self.latent * (1.0 - t) / torch.sqrt(t * (1.0 - t))",
        "tests/process/test_two_sided.py",
    ),
    (
        "src/rheos/process/two_sided.py",
        "total = torch.log(t) - torch.log1p(-t)",
        "total = torch.log(t) + torch.log1p(-t)",
        "tests/process/test_two_sided.py",
    ),
    (
        "src/rheos/process/two_sided.py",
        "1.0 / (1.0 - t) - 1.0 / t + 2.0 *",
        "1.0 / (1.0 - t) - 1.0 / t +",
        "tests/process/test_two_sided.py",
    ),
    (
        "src/rheos/process/two_sided.py",
        "cotangent + cotangent**3 / 3.0",
        "cotangent + cotangent**3",
        "tests/process/test_two_sided.py",
    ),
    (
        "src/rheos/process/two_sided.py",
        "return -noise / expand(self.level(t), noise)",
        "return -noise * expand(self.level(t), noise)",
        "tests/process/test_two_sided.py",
    ),
    (
        "src/rheos/process/two_sided.py",
        "return difference + expand(self.d_level(t), noise) * noise",
        "return difference - expand(self.d_level(t), noise) * noise",
        "tests/process/test_two_sided.py",
    ),
    (
        "src/rheos/process/two_sided.py",
        "way = expand(1.0 - t, x0) * x0 + expand(t, x0) * start",
        "way = expand(t, x0) * x0 + expand(1.0 - t, x0) * start",
        "tests/process/test_two_sided.py",
    ),
]
