"""A page with every section, on made-up but lifelike forecasts."""

import numpy as np
import pandas as pd

from rheos.report.content import (
    Card,
    Content,
    Cost,
    Coverage,
    Fan,
    FieldForecast,
    LeadScores,
    Page,
    RankHistogram,
    ScoreRow,
    SolverBias,
    Training,
    Verdict,
    WindowScores,
)

COMMAND = (
    "rheos fit elnino.csv --horizon 12 --history 36 --holdout 120 --time 2m --out models/elnino\n"
    "rheos backtest models/elnino --from elnino.csv --windows 28 --members 100 --json"
)
RECIPE = """\
window: {history: 36, horizon: 12, lags: [12, 24]}
process:
  schedule: {kind: cosine}
  coordinates: {kind: frame_mixing, floor: 0.5}
sample: {solver: {kind: multistep, order: 2}, steps: 20}
"""


def sea_surface(seed: int, members: int = 60, bias: float = 0.0, known: bool = True) -> Fan:
    rng = np.random.default_rng(seed)
    months = pd.date_range("2003-01-01", periods=72, freq="MS").to_numpy()
    season = 23.2 + 2.6 * np.sin(2 * np.pi * (np.arange(72) - 0.5) / 12)

    def anomaly(start: float, steps: int) -> np.ndarray:
        values = [start]
        for shock in 0.35 * rng.standard_normal(steps):
            values.append(0.88 * values[-1] + shock)
        return np.array(values[1:])

    past = anomaly(0.4, 60)
    return Fan(
        channel="sea-surface temperature",
        unit="°C",
        title=f"from {str(months[59])[:7]}",
        history_time=months[:60],
        history=season[:60] + past,
        time=months[60:],
        members=np.stack([season[60:] + bias + anomaly(past[-1], 12) for _ in range(members)]),
        truth=season[60:] + anomaly(past[-1], 12) if known else None,
    )


def vortices(land: bool = False, frames: int = 12) -> FieldForecast:
    rng = np.random.default_rng(5)
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(32, 1 / 32), np.fft.fftfreq(32, 1 / 32)))
    shape = np.where(wave > 0, wave, 1) ** -1.2 * (wave > 0) * np.exp(-((wave / 9) ** 2))

    def smooth() -> np.ndarray:
        return np.fft.ifft2(np.fft.fft2(rng.standard_normal((32, 32))) * shape).real * 12

    def advance(field: np.ndarray, steps: int, doubt: float) -> np.ndarray:
        rows = []
        for step in range(steps):
            field = 0.97 * np.roll(field, (step % 2, 1), (0, 1)) + doubt * smooth()
            rows.append(field)
        return np.stack(rows)

    past = advance(smooth(), 6, 0.1)
    truth = advance(past[-1], frames, 0.16)
    members = np.stack([advance(past[-1], frames, 0.16) for _ in range(24)])
    hole = np.zeros((32, 32), bool)
    hole[4:14, 18:29] = land
    return FieldForecast(
        channel="vorticity",
        unit="1/s",
        leads=tuple(f"+{0.2 * (i + 1):.1f} s" for i in range(frames)),
        members=np.where(hole, np.nan, members),
        truth=np.where(hole, np.nan, truth),
        history=np.where(hole, np.nan, past),
        y=np.linspace(-40, 22, 32) if land else None,
        x=np.linspace(120, 182, 32) if land else None,
        y_label="latitude (°)" if land else "y",
        x_label="longitude (°)" if land else "x",
    )


def scores(factor: float = 1.0) -> tuple[ScoreRow, ...]:
    rows = (
        ScoreRow(
            name="rheos", crps=0.2871 * factor, wql=0.0183 * factor, crps_sum=0.0183, rmse=0.5312 * factor,
            coverage_90=0.887, spread_skill=0.974,
        ),
        ScoreRow(
            name="lag_ridge", crps=0.3226, wql=0.0206, crps_sum=0.0206, rmse=0.5874, coverage_90=0.861,
            spread_skill=0.913,
        ),
        ScoreRow(
            name="climatology", crps=0.4015, wql=0.0256, crps_sum=0.0256, rmse=0.7127, coverage_90=0.904,
            spread_skill=1.021,
        ),
        ScoreRow(
            name="seasonal", crps=0.4873, wql=0.0311, crps_sum=0.0311, rmse=0.8645, coverage_90=0.893,
            spread_skill=0.988,
        ),
        ScoreRow(
            name="persistence", crps=0.6942, wql=0.0443, crps_sum=0.0443, rmse=1.2210, coverage_90=0.931,
            spread_skill=1.087,
        ),
    )  # fmt: skip
    return rows


def leads(unit: str = "months", name: str = "°C") -> LeadScores:
    lead = np.arange(1, 13)
    error = 0.28 * np.sqrt(1 - 0.8**lead) / np.sqrt(0.2)
    return LeadScores(
        lead=lead,
        lead_unit=unit,
        unit=name,
        crps={
            "rheos": 0.55 * error,
            "persistence": 0.3 + 0.9 * np.sin(np.pi * lead / 12),
            "seasonal": np.full(12, 0.52),
            "climatology": np.full(12, 0.41),
            "lag_ridge": 0.6 * error,
        },
        spread=0.96 * error,
        error=error,
    )


def chapter(skill: float = 0.11) -> Content:
    rng = np.random.default_rng(1)
    baseline = 0.32 + 0.12 * rng.gamma(2.0, 0.6, 28)
    nominal = np.array([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
    step = np.arange(0, 4000, 10)
    checks = np.arange(200, 4001, 200)
    return Content(
        title="Sea-surface temperature of the equatorial Pacific",
        subtitle="Monthly means of the Niño 1+2 region, 1950–2010 (NOAA); twelve months ahead.",
        verdict=Verdict(
            skill=skill, low=skill - 0.045, high=skill + 0.04, baseline="lag_ridge", windows=28, members=100
        ),
        scores=scores(),
        window_scores=WindowScores(
            origins=tuple(str(np.datetime64("2001-01") + 4 * i) for i in range(28)),
            rheos=baseline * (1 - skill + 0.14 * rng.standard_normal(28)),
            baseline=baseline,
            baseline_name="lag_ridge",
            unit="°C",
        ),
        fans=(sea_surface(0), sea_surface(3), sea_surface(4, known=False)),
        ranks=RankHistogram(
            counts=rng.multinomial(336, rng.dirichlet(np.full(101, 60.0))), independent_cases=70
        ),
        leads=leads(),
        coverage=Coverage(
            nominal=nominal,
            before=nominal**1.35,
            after=nominal**1.04,
            note="Calibrated per lead time on 48 held-out months of the training span.",
        ),
        training=Training(
            step=step,
            loss=0.35 + 0.9 * np.exp(-step / 500) + 0.06 * rng.gamma(2, 1, len(step)),
            validation_step=checks,
            validation=0.29 + 0.3 * np.exp(-checks / 600) + 1.5e-9 * np.maximum(0, checks - 2600) ** 2 * 10,
            chosen_step=2800,
        ),
        bias=SolverBias(
            ratio=1 + 0.021 * np.exp(-np.arange(12) / 4) * np.cos(np.arange(12)),
            solver="multistep of order 2, 20 steps",
            evaluations=20,
            bound=0.03,
        ),
        cost=Cost(
            training_seconds=118.4, training_steps=4000, forecast_seconds=3.27, evaluations=20,
            parameters=412_930, device="CPU, 2 threads",
        ),
        command=COMMAND,
        card=Card(
            facts={
                "data": "elnino.csv, 732 frames, sha256 9f0c…41ab",
                "trained on": "1950-01 to 2000-12",
                "valid horizon": "12 months",
                "license of the data": "public domain (NOAA)",
            },
            recipe=RECIPE,
            versions={"rheos": "0.1.0", "torch": "2.13.0", "python": "3.11.9"},
        ),
        warnings=("Calibration saw only 4 independent windows; its effect is uncertain.",),
    )  # fmt: skip


def flow_chapter(frames: int = 12) -> Content:
    return Content(
        title="Two-dimensional turbulence",
        subtitle="Vorticity of a chaotic flow on a periodic square, 32 × 32 points; twelve frames ahead.",
        verdict=Verdict(
            skill=-0.031, low=-0.058, high=-0.006, baseline="persistence", windows=12, members=24
        ),
        fields=(vortices(frames=frames), vortices(land=True, frames=frames)),
        scores=scores(1.2),
        leads=leads("frames", "1/s"),
        ranks=RankHistogram(counts=np.array([90, 60, 44, 40, 38, 41, 47, 61, 88]), independent_cases=120),
    )


def page() -> Page:
    return Page(
        title="From a file to a calibrated forecast",
        subtitle="Two data sets, one recipe.",
        chapters=(chapter(), flow_chapter()),
    )
