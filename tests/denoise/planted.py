"""Planted errors of the denoise room: (file, line as written, line with the error); fast tests kill each."""

PLANTED = [
    (
        "src/rheos/denoise/prediction.py",
        "skip = alpha * sigma_data**2 / total",
        "skip = sigma_data**2 / total",
    ),
    (
        "src/rheos/denoise/prediction.py",
        "data, noise = sigma / (sigma_data * total.sqrt()), -alpha * sigma_data / total.sqrt()",
        "data, noise = sigma / (sigma_data * total.sqrt()), alpha * sigma_data / total.sqrt()",
    ),
    (
        "src/rheos/denoise/prediction.py",
        "skip, out, data, noise = 1.0 / alpha, -sigma / alpha, zero, one",
        "skip, out, data, noise = 1.0 / alpha, sigma / alpha, zero, one",
    ),
    (
        "src/rheos/denoise/prediction.py",
        "skip, out, data, noise = alpha / total, -sigma / total, -sigma, alpha",
        "skip, out, data, noise = alpha, -sigma, -sigma, alpha",
    ),
    (
        "src/rheos/denoise/prediction.py",
        "wronskian = noise * alpha - sigma * data",
        "wronskian = noise * alpha + sigma * data",
    ),
    (
        "src/rheos/denoise/prediction.py",
        "skip, out, data, noise = 1.0 / alpha, sigma**2 / alpha, zero, -1.0 / sigma",
        "skip, out, data, noise = 1.0 / alpha, sigma / alpha, zero, -1.0 / sigma",
    ),
    (
        "src/rheos/denoise/prediction.py",
        "return torch.rsqrt((schedule.alpha(t) * sigma_data) ** 2 + schedule.sigma(t) ** 2)",
        "return torch.rsqrt(schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2)",
    ),
    (
        "src/rheos/denoise/denoiser.py",
        "self.network(row.seen(scaled, context), row.level, context)",
        "self.network(scaled, row.level, context)",
        "tests/denoise/test_denoiser.py",
    ),
    (
        "src/rheos/denoise/row.py",
        "level = clip_level(schedule.log_snr(per_frame_each(times)))",
        "level = clip_level(0.5 * schedule.log_snr(per_frame_each(times)))",
        "tests/denoise/test_denoiser.py",
    ),
    (
        "src/rheos/denoise/objective.py",
        "weight = denoiser.coefficients(t).out ** -2",
        "weight = denoiser.coefficients(t).out.abs() ** -1",
    ),
    (
        "src/rheos/denoise/objective.py",
        "weight = snr / (1.0 + snr) ** self.gamma",
        "weight = 1.0 / (1.0 + snr) ** self.gamma",
    ),
    (
        "src/rheos/denoise/objective.py",
        "error = process.coordinates.metric(factor * (mean - u0), t, context)",
        "error = factor * (mean - u0)",
    ),
    (
        "src/rheos/denoise/objective.py",
        "factor = expand(self.data_weight(denoiser, t).sqrt(), u0) * observed",
        "factor = expand(self.data_weight(denoiser, t).sqrt(), u0)",
    ),
    (
        "src/rheos/denoise/objective.py",
        "observed = expand((t > 0.0).to(torch.float64), u0)",
        "observed = expand((t >= 0.0).to(torch.float64), u0)",
    ),
    (
        "src/rheos/denoise/time_sampler/base.py",
        "w = torch.frac(shift + torch.arange(rows, dtype=torch.float64) / rows)",
        "w = torch.frac(shift + torch.arange(rows, dtype=torch.float64) / (rows + 1))",
    ),
    (
        "src/rheos/denoise/time_sampler/log_normal.py",
        "return schedule.time_at(-2.0 * (self.mean + self.std * torch.special.ndtri(w)))",
        "return schedule.time_at(-(self.mean + self.std * torch.special.ndtri(w)))",
    ),
    (
        "src/rheos/denoise/time_sampler/logit_normal.py",
        "return self.shift * t / (1.0 + (self.shift - 1.0) * t)",
        "return self.shift * t / (1.0 + self.shift * t)",
    ),
    (
        "src/rheos/denoise/time_sampler/log_snr_uniform.py",
        "return schedule.time_at(torch.lerp(ends[0], ends[1], w))",
        "return schedule.time_at(torch.lerp(ends[0], ends[1], w**2))",
    ),
    (
        "src/rheos/denoise/oracle/gaussian.py",
        "law = signal + torch.diag_embed(sigma**2)",
        "law = signal + torch.diag_embed(sigma)",
    ),
    (
        "src/rheos/denoise/oracle/gaussian.py",
        "covariance=self.covariance - gain @ (alpha[:, :, None] * self.covariance),",
        "covariance=self.covariance - gain @ self.covariance,",
    ),
    (
        "src/rheos/denoise/oracle/gaussian.py",
        "log_det = log_det + 2.0 * torch.where(scale > 0.0, scale, 1.0).log().sum(-1)",
        "log_det = log_det + torch.where(scale > 0.0, scale, 1.0).log().sum(-1)",
    ),
    (
        "src/rheos/denoise/oracle/mixture.py",
        "return self.log_weights.to(evidence.device) + evidence",
        "return evidence",
    ),
    (
        "src/rheos/denoise/oracle/mixture.py",
        "spread = each - mean[:, None]",
        "spread = each",
    ),
    (
        "src/rheos/denoise/oracle/gaussian.py",
        "law = signal + sigma[:, :, None] * whole * sigma[:, None, :]",
        "law = signal + sigma[:, :, None] * whole",
    ),
    (
        "src/rheos/denoise/oracle/gaussian.py",
        "whole = torch.kron(along, torch.eye(n // u.shape[1], dtype=torch.float64))",
        "whole = torch.kron(torch.eye(n // u.shape[1], dtype=torch.float64), along)",
    ),
    (
        "src/rheos/denoise/prediction.py",
        'prediction == "score" and not isinstance',
        'prediction == "noise" and not isinstance',
    ),
    (
        "src/rheos/denoise/oracle/empirical.py",
        "z = (u[:, None] - alpha * points) / sigma",
        "z = u[:, None] - alpha * points",
    ),
    (
        "src/rheos/denoise/oracle/empirical.py",
        "z = (u[:, None] - alpha * points) / sigma",
        "z = (u[:, None] - points) / sigma",
    ),
    (
        "src/rheos/denoise/oracle/gaussian.py",
        "if not process.noise.gaussian:",
        "if process.noise.gaussian and len(mean) == 0:",
    ),
    (
        "src/rheos/sample/likelihood.py",
        "math.sqrt(1.0 + math.exp(-2.0 * high))",
        "math.exp(-high)",
        "tests/sample/test_likelihood.py",
    ),
    (
        "src/rheos/sample/likelihood.py",
        "- entries * low - lost",
        "- lost",
        "tests/sample/test_likelihood.py",
    ),
    (
        "src/rheos/sample/likelihood.py",
        "move = w / (1.0 + squared) -",
        "move = w -",
        "tests/sample/test_likelihood.py",
    ),
    (
        "src/rheos/sample/likelihood.py",
        "float(schedule.alpha(time)) * total",
        "total",
        "tests/sample/test_likelihood.py",
    ),
    (
        "src/rheos/sample/likelihood.py",
        "return whole - process.coordinates.log_det(",
        "return whole + 0.0 * process.coordinates.log_det(",
        "tests/sample/test_likelihood.py",
    ),
    (
        "src/rheos/sample/likelihood.py",
        "v = counted * signs",
        "v = counted * signs.abs()",
        "tests/sample/test_likelihood.py",
    ),
    (
        "src/rheos/sample/likelihood.py",
        "process.noise.log_prob(z[:, known:], context, known)",
        "process.noise.log_prob(z[:, known:], context)",
        "tests/sample/test_likelihood.py",
    ),
    (
        "src/rheos/sample/path/path.py",
        "(step[:, None] - behind).clamp(0, steps)",
        "(step[:, None] + behind).clamp(0, steps)",
        "tests/sample/test_path.py",
    ),
    (
        "src/rheos/sample/path/path.py",
        "step = torch.arange(steps + 1 + int(behind[-1]))",
        "step = torch.arange(steps + 1)",
        "tests/sample/test_path.py",
    ),
    (
        "src/rheos/sample/path/pyramid.py",
        "return min(self.behind, steps)",
        "return self.behind",
        "tests/sample/test_path.py",
    ),
    (
        "src/rheos/sample/path/rolling.py",
        "return -(-steps // self.window)",
        "return steps // self.window",
        "tests/sample/test_path.py",
    ),
    (
        "src/rheos/sample/path/frame_by_frame.py",
        "return steps",
        "return steps - 1",
        "tests/sample/test_path.py",
    ),
    (
        "src/rheos/denoise/times/per_frame.py",
        "numbers[:, 1:2] < self.share",
        "numbers[:, 1:2] > self.share",
        "tests/denoise/test_times.py",
    ),
    (
        "src/rheos/denoise/times/per_frame.py",
        "numbers[:, 1:2]",
        "numbers[:1, 1:2]",
        "tests/denoise/test_times.py",
    ),
    (
        "src/rheos/denoise/times/per_frame.py",
        "numbers[:, 2:].flatten()",
        "numbers[:, :1].expand(-1, frames).flatten()",
        "tests/denoise/test_times.py",
    ),
    (
        "src/rheos/core/time_field.py",
        "(t if t.ndim == 2 else t.reshape(-1, 1))",
        "t.reshape(-1, 1)[: len(t)]",
        "tests/denoise/test_times.py",
    ),
    (
        "src/rheos/sample/compatibility.py",
        "return str(error)",
        "return None",
        "tests/sample/test_compatibility.py",
    ),
    (
        "src/rheos/sample/compatibility.py",
        "Preset(solver=solver(), evaluations=3)",
        "Preset(evaluations=3)",
        "tests/sample/test_compatibility.py",
    ),
]
