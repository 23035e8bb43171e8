"""Errors planted one at a time, each of which the tests of this room must notice: (file, old, new)."""

KERNEL = "src/rheos/sample/solver/kernel.py"
SOLVER = "src/rheos/sample/solver"
DRIVER = "src/rheos/sample/driver"
PARALLEL = "tests/sample/test_parallel.py"
GRAD = "tests/sample/test_gradients.py"
CORRECTION = "src/rheos/sample/correction"
QUICK = "tests/sample/test_kernel.py tests/sample/test_grid.py tests/sample/test_solver.py"
UNIPC = "tests/sample/test_unipc.py"
BALL = "tests/sample/test_heavy_ball.py"
EVO = "tests/sample/test_evodiff.py"
FIX = "tests/sample/test_correction.py"
UNDER = "tests/sample/test_underdamped.py"
CALL = "tests/sample/test_sample.py"
PROBE = "tests/sample/test_probe.py"

PLANTED = [
    (KERNEL, "recursion = 1.0 - m / safe * recursion", "recursion = 1.0 - m * recursion", QUICK),
    (KERNEL, "math.factorial(m + q + 1)", "math.factorial(m + q)", QUICK),
    (KERNEL, "(node >= -SPAN) & (node < nodes[-1])", "(node < nodes[-1])", QUICK),
    (
        KERNEL,
        "weights[newest] = -torch.expm1(-(1.0 + eta) * length)",
        "weights[newest] = -torch.expm1(-length)",
        QUICK,
    ),
    (
        KERNEL,
        "torch.cat((torch.ones_like(older[:1]), older))",
        "torch.cat((1.0 - older[:1], older))[:-1]",
        QUICK,
    ),
    (KERNEL, "count + near, eta, newest=1", "count, eta, newest=1", QUICK),
    (KERNEL, "weights[:, 1:] += scale[1:] * change", "weights[:, 1:] += scale[:-1] * change", QUICK),
    (KERNEL, "change[1:] -= predictor", "change[:-1] -= predictor", QUICK),
    (
        f"{SOLVER}/adams_moulton.py",
        "adams_moulton(path, self.order, self.eta)",
        "adams_moulton(path, self.order)",
        QUICK,
    ),
    (
        f"{SOLVER}/adams_moulton.py",
        "adams_bashforth(path, self.order - 1, self.eta)",
        "adams_bashforth(path, self.order - 1)",
        QUICK,
    ),
    (f"{SOLVER}/unipc.py", 'self.variant == "bh1"', 'self.variant == "bh2"', UNIPC),
    (f"{SOLVER}/unipc.py", "gain + slope", "gain - slope", UNIPC),
    (f"{SOLVER}/unipc.py", "torch.where(alone, half,", "torch.where(alone, gain,", UNIPC),
    (f"{SOLVER}/heavy_ball.py", "extra * _ADAMS[j - 1] if j", "extra * _ADAMS[j] if j", BALL),
    (f"{SOLVER}/heavy_ball.py", "c / self.damping * difference", "c * difference", BALL),
    (f"{SOLVER}/heavy_ball.py", "(2.0 - self.damping)", "(1.0 + self.damping)", BALL),
    (f"{SOLVER}/heavy_ball.py", "-alpha / sigma", "-1.0 / sigma", BALL),
    (
        f"{SOLVER}/heavy_ball.py",
        "near[1:] & near[:-1], self.damping",
        "near[1:] & ~near[:-1], self.damping",
        BALL,
    ),
    (
        KERNEL,
        "torch.sqrt(-torch.expm1(-2.0 * eta * length))",
        "torch.sqrt(-torch.expm1(-eta * length))",
        QUICK,
    ),
    (
        KERNEL,
        "torch.where(self.still, 1.0, self.sigma[1:] / self.sigma[:-1])",
        "self.sigma[1:] / self.sigma[:-1]",
        QUICK,
    ),
    (f"{SOLVER}/ddim.py", "1.0 + eta**2 * torch.expm1", "1.0 + eta * torch.expm1", QUICK),
    (
        f"{SOLVER}/ddim.py",
        "ddim_moves(Path.of(schedule, fields), 1.0)",
        "ddim_moves(Path.of(schedule, fields), 0.9)",
        QUICK,
    ),
    (f"{SOLVER}/dpmpp.py", "-0.5 / torch.where(count == 2", "-1.0 / torch.where(count == 2", QUICK),
    (f"{SOLVER}/dpmpp.py", "(0.5 if self.legacy else 1.0)", "(1.0 if self.legacy else 0.5)", QUICK),
    (f"{SOLVER}/dpmpp.py", "r0 / (r0 + r1)", "r1 / (r0 + r1)", QUICK),
    (
        f"{SOLVER}/exponential.py",
        "adams_bashforth(path, self.order, self.eta)",
        "adams_bashforth(path, self.order)",
        QUICK,
    ),
    (f"{SOLVER}/exponential.py", "path.decay * kept", "path.decay", QUICK),
    (f"{SOLVER}/least_difference.py", "share(first, gap, self.over)", "share(gap, first, self.over)", EVO),
    (f"{SOLVER}/least_difference.py", "-1.0 / torch.where(count", "-2.0 / torch.where(count", EVO),
    (f"{SOLVER}/least_difference.py", "range(1 if over", "range(2 if over", EVO),
    (f"{SOLVER}/evodiff.py", "(1.0 - e) * self.ratio * g2", "(1.0 - e) * g2", EVO),
    (f"{SOLVER}/evodiff.py", "torch.sigmoid(b.abs() / 4.0)", "torch.sigmoid(b.abs())", EVO),
    (f"{SOLVER}/evodiff.py", "(2.0 - self.decay**2)) * away", "(2.0 - self.decay)) * away", EVO),
    (f"{SOLVER}/evodiff.py", "u.addcmul_(difference / self.ahead.shifted(b)", "u.addcmul_(difference", EVO),
    (f"{CORRECTION}/langevin.py", "min(2.0 * self.snr**2, _MOST)", "min(self.snr**2, _MOST)", FIX),
    (f"{CORRECTION}/langevin.py", "sigma * torch.sqrt(2.0 * step)", "sigma * torch.sqrt(step)", FIX),
    (f"{CORRECTION}/langevin.py", "node.time) * signal).sub_(u)", "node.time)).sub_(u)", FIX),
    (f"{CORRECTION}/langevin.py", "torch.where(sigma > 0, step, 0.0)", "step", FIX),
    (f"{CORRECTION}/langevin.py", "2.0 * self.snr**2 * ratio", "2.0 * self.snr**2 / ratio", FIX),
    (f"{CORRECTION}/underdamped.py", "mul_(0.5 * self.step)", "mul_(self.step)", UNDER),
    (f"{CORRECTION}/underdamped.py", "((v + half) * kept)", "(v * kept + half)", UNDER),
    (f"{CORRECTION}/underdamped.py", "math.sqrt(1.0 - kept**2)", "1.0 - kept", UNDER),
    (f"{CORRECTION}/underdamped.py", "-self.friction * self.step", "-0.5 * self.friction * self.step", UNDER),
    (f"{CORRECTION}/underdamped.py", "torch.where(moving, pull, 0.0)", "pull", FIX),
    (f"{CORRECTION}/time_shift.py", "node.schedule.alpha(times) ** 2", "node.schedule.alpha(times)", FIX),
    (f"{CORRECTION}/time_shift.py", "values.sum(1).cpu() ** 2 / count", "values.sum(1).cpu() ** 2", FIX),
    (f"{CORRECTION}/time_shift.py", "clamp(max=0.5 * self.window)", "clamp(max=self.window)", FIX),
    (f"{CORRECTION}/time_shift.py", "field > 0, field + shift, 0.0", "field > 0, field + shift, shift", FIX),
    ("src/rheos/sample/driver/corrected.py", "moved[index] = time", "moved[index - 1] = time", FIX),
    ("src/rheos/sample/driver/corrected.py", "draw_correction(next(numbers))", "draw_correction(0)", FIX),
    (f"{SOLVER}/midpoint.py", "0.5 * (ratio[1:] + ratio[:-1])", "ratio[1:]", QUICK),
    (f"{SOLVER}/midpoint.py", "-push * middle.alpha", "-push", QUICK),
    (f"{DRIVER}/checkpointed.py", "partial(draw, index)", "partial(draw, 0)", GRAD),
    (f"{DRIVER}/adjoint.py", "a - 0.5 * pull", "a", GRAD),
    (f"{DRIVER}/adjoint.py", "w + 0.5 * turn * slope", "w", GRAD),
    (f"{DRIVER}/adjoint.py", "turn * a_half, inputs", "turn * a, inputs", GRAD),
    (f"{DRIVER}/adjoint.py", "a / expand(radius[0], u)", "a", GRAD),
    (f"{DRIVER}/adjoint.py", "known - part", "known + part", GRAD),
    (f"{DRIVER}/parallel.py", "(new[m] - guesses[m])", "0.5 * (new[m] - guesses[m])", PARALLEL),
    (f"{DRIVER}/parallel.py", "new[1 : settled + 1]", "new[1 : settled + 2]", PARALLEL),
    (f"{DRIVER}/parallel.py", "path.alpha[step + 1] / start", "start / path.alpha[step + 1]", PARALLEL),
    (f"{DRIVER}/parallel.py", "noises[step] for step in", "noises[first] for step in", PARALLEL),
    (f"{SOLVER}/heun.py", "0.5 * path.alpha[1:] * torch.expm1", "path.alpha[1:] * torch.expm1", QUICK),
    (f"{SOLVER}/heun.py", "math.log1p(gain)", "gain", QUICK),
    (f"{SOLVER}/solver.py", "return State(u, answers[: self.keep])", "return State(u, answers[1:])", QUICK),
    (f"{SOLVER}/solver.py", "u = state.u * self.scale", "u = state.u.mul_(self.scale)", QUICK),
    (f"{SOLVER}/solver.py", "noise[i] if bool(noise[i].any()) else None", "noise[i]", CALL),
    ("src/rheos/sample/grid/karras.py", "roots**self.rho", "roots ** (self.rho - 1)", QUICK),
    ("src/rheos/sample/grid/grid.py", "times[0] = schedule.t_max", "times[0] = times[0]", QUICK),
    ("src/rheos/sample/driver/sequential.py", "partial(draw, index)", "partial(draw, 0)", QUICK),
    ("src/rheos/sample/sample.py", "key.at(purpose, step)", "key.at(purpose, 0)", CALL),
    (
        "src/rheos/sample/sample.py",
        "torch.cat((context.history.to(clips), clips",
        "torch.cat((clips[:, : context.history_frames], clips",
        CALL,
    ),
    (
        "src/rheos/sample/sample.py",
        'torch.set_grad_enabled(gradients != "none")',
        "torch.set_grad_enabled(True)",
        CALL,
    ),
    (
        "src/rheos/sample/preset.py",
        "self.grid.times(schedule, self.steps)",
        "self.grid.times(schedule, self.evaluations)",
        CALL,
    ),
    ("src/rheos/sample/grid/grid.py", "torch.equal(self.times, other.times)", "True", CALL),
    ("src/rheos/sample/probe.py", "columns = images - mean", "columns = images", PROBE),
    ("src/rheos/sample/probe.py", "past @ covariance[:known, known:]", "covariance[:known, known:]", PROBE),
    (
        "src/rheos/sample/preset.py",
        "LogSNR(highest=100.0, lowest=0.005)",
        "LogSNR(highest=100.0, lowest=0.02)",
        PROBE,
    ),
]
