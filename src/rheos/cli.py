"""The command line: the five verbs, `table`, `compare`, `tune-sampler`, `template`, `methods` and `demo`.

Results go to stdout, progress and messages to stderr. A mistake of the user's is one sentence and exit
code 2.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rheos import __version__
from rheos.core.errors import RheosError
from rheos.core.terminal import progress_line

app = typer.Typer(
    name="rheos",
    help="Probabilistic forecasts of recorded dynamics: inspect, fit, forecast, backtest, report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Source = Annotated[
    str, typer.Argument(help="CSV, Parquet, NetCDF, Zarr, .npy, FILE.npz::name or JSON lines.")
]
Words = Annotated[
    list[str] | None,
    typer.Argument(help="Overrides such as process.floor=0.7 or roles.Holiday=known_future."),
]
Config = Annotated[Path | None, typer.Option("--config", help="A recipe in YAML.")]
Quality = Annotated[str, typer.Option(help="fast, balanced or best.")]
Members = Annotated[int, typer.Option(help="Size of the ensemble.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same members.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


@app.command()
def inspect(
    source: Source,
    words: Words = None,
    horizon: Annotated[int | None, typer.Option(help="Frames to forecast, to propose a recipe.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say what a source holds, what is wrong with it, and what Rheos would do."""
    from rheos.forecast.proposal import inspect as look
    from rheos.forecast.proposal import proposal_text

    found = look(source, horizon, config=config, words=words or ())
    _print(
        json.dumps(found.to_dict(), indent=2, default=str)
        if as_json
        else f"{found}\n{proposal_text(found)}".rstrip()
    )


@app.command()
def fit(
    source: Source,
    words: Words = None,
    horizon: Annotated[int | None, typer.Option(help="Frames to forecast.")] = None,
    history: Annotated[int | None, typer.Option(help="Frames of history; proposed from the data.")] = None,
    holdout: Annotated[
        int | None, typer.Option(help="Last frames to keep out of everything that is fitted.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Budget, such as 5m.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, batches and noise.")] = None,
    config: Config = None,
    out: Annotated[Path, typer.Option(help="The model folder.")] = Path("model"),
) -> None:
    """Fit a forecaster; the same command continues an interrupted run."""
    from rheos.forecast import forecaster
    from rheos.forecast.card import irregular

    given = {"history": history, "holdout": holdout, "training.time": time, "seed": seed}
    chosen = [f"{name}={value}" for name, value in given.items() if value is not None]
    with progress_line() as tell:
        made = forecaster.fit(
            source, horizon, config=config, words=[*(words or ()), *chosen], out=out, progress=tell
        )
    history_of = made.model.history
    sys.stderr.write(
        f"{out}: {history_of.steps} steps in {history_of.seconds:.0f} s; "
        f"calibration: {history_of.calibration.get('note', '')}\n"
    )
    if said := irregular(made.model.recipe):
        sys.stderr.write(f"{said}\n")


@app.command()
def forecast(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    source: Annotated[
        str | None,
        typer.Option("--from", help="Data to forecast from; default the end of the training data."),
    ] = None,
    at: Annotated[
        list[str] | None, typer.Option(help="Stamp of the last known frame; may be repeated.")
    ] = None,
    members: Members = 100,
    seed: Seed = 0,
    quality: Quality = "balanced",
    horizon: Annotated[int | None, typer.Option(help="Frames ahead; default the trained horizon.")] = None,
    given: Annotated[
        str | None,
        typer.Option(help="A table of values to hold over the horizon; the rest is forecast given them."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A variable to forecast, the others left out; may be repeated."),
    ] = None,
    memory: Annotated[str | None, typer.Option(help="Most memory to use, such as 2GB.")] = None,
    out: Annotated[Path, typer.Option(help="The Zarr store to write.")] = Path("forecast.zarr"),
) -> None:
    """Draw an ensemble of joint futures into a Zarr store; the same command continues an interrupted one."""
    from rheos.forecast.forecaster import load
    from rheos.forecast.settings import Forecasting
    from rheos.forecast.unwell import health_sentence

    with progress_line() as tell:
        made = load(model).forecast(
            source,
            at=at or None,
            members=members,
            seed=seed,
            quality=quality,
            horizon=horizon,
            settings=Forecasting(given=given, only=only or None, memory=memory),
            out=out,
            progress=tell,
        )
    sys.stderr.write(f"{out}: {made}; `rheos table {out}` shows it\n")
    if sentence := health_sentence(made.dataset):
        sys.stderr.write(f"rheos: {sentence}\n")


@app.command()
def table(
    store: Annotated[Path, typer.Argument(help="A forecast store.")],
    levels: Annotated[str, typer.Option(help="Quantiles, with commas.")] = "0.1,0.5,0.9",
    event: Annotated[
        list[str] | None,
        typer.Option(help="Chances of it, not quantiles: 'sales > 90', 'max(sales) > 90'; may be repeated."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A CSV or Parquet file to write all rows to.")] = None,
) -> None:
    """Show the quantiles of a forecast, or the chances of events."""
    from rheos.forecast.forecast import Forecast
    from rheos.forecast.table import levels_of, shown, table_of, write_table

    made = table_of(Forecast.open(store), levels_of(levels), event or ())
    if out is None:
        _print(shown(made))
    else:
        write_table(made, out)
        _print(f"{out}: {len(made)} rows")


@app.command()
def backtest(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    source: Annotated[str, typer.Option("--from", help="Data that reach beyond the training span.")],
    windows: Annotated[int, typer.Option(help="Most windows, not overlapping.")] = 28,
    members: Members = 100,
    seed: Seed = 0,
    quality: Quality = "balanced",
    as_json: AsJson = False,
) -> None:
    """Score a model and the baselines on frames that fitting never saw."""
    from rheos.evaluation.backtest import backtest as score
    from rheos.evaluation.table import table
    from rheos.forecast.forecaster import load

    with progress_line() as tell:
        card = score(
            load(model), source, windows=windows, members=members, seed=seed, quality=quality, progress=tell
        )
    _print(json.dumps(card.to_dict(), indent=2, allow_nan=False) if as_json else table(card))


@app.command()
def compare(
    source: Source,
    words: Words = None,
    horizon: Annotated[int | None, typer.Option(help="Frames to forecast; needed.")] = None,
    holdout: Annotated[
        int | None, typer.Option(help="Last frames that nothing is fitted on; default a fifth at most.")
    ] = None,
    recipe: Annotated[
        list[str] | None, typer.Option(help="NAME=words: a recipe by its overrides; may be repeated.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="NAME=FOLDER: a model fitted before; may be repeated.")
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help="With commas: rheos, baselines, peers, or single ones by their word.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Of training and members, with commas.")] = "0",
    windows: Annotated[int, typer.Option(help="Most windows, not overlapping.")] = 28,
    members: Members = 100,
    quality: Quality = "balanced",
    time: Annotated[
        str | None, typer.Option(help="Training budget of each recipe and trained peer, such as 5m.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Whom the verdict is about; default the first of Rheos' own.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Whom all are compared with, beside the best other.")
    ] = None,
    score: Annotated[str, typer.Option(help="What decides: crps, wql or crps_sum.")] = "crps",
    config: Config = None,
    out: Annotated[Path, typer.Option(help="The folder of the comparison.")] = Path("comparison"),
    as_json: AsJson = False,
) -> None:
    """Score recipes, models, baselines and peers on the same windows; the same command continues."""
    from rheos.evaluation.comparison import compare as score_all
    from rheos.evaluation.comparison.entry import asked, seeds_of
    from rheos.evaluation.comparison.settings import Comparing
    from rheos.evaluation.comparison.table import text

    settings = Comparing(
        holdout=holdout,
        windows=windows,
        members=members,
        quality=quality,
        seeds=seeds_of(seeds),
        time=time,
        subject=subject,
        reference=reference,
        score=score,
    )
    with progress_line() as tell:
        found = score_all(
            source,
            asked(recipe or (), model or (), methods),
            horizon=horizon,
            settings=settings,
            config=config,
            words=words or (),
            out=out,
            progress=tell,
        )
    _print(json.dumps(found.to_dict(), indent=2, allow_nan=False) if as_json else text(found))


@app.command()
def tune_sampler(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    source: Annotated[
        str | None,
        typer.Option("--from", help="The data it was fitted on; default what the model keeps of them."),
    ] = None,
    bound: Annotated[
        str | None,
        typer.Option(help="Shares of variance for fast, balanced and best; default 0.15,0.03,0.01."),
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Most that a forecast of 100 members may take, such as 2s.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Choose solver, steps and network calls for a model; stored with it as fast, balanced and best."""
    from rheos.forecast.forecaster import load
    from rheos.forecast.tuning import bounds_of

    made = load(model)
    with progress_line() as tell:
        found = made.tune_sampler(source, bound=bounds_of(bound), time=time, progress=tell)
    made.save_presets(model)
    _print(json.dumps(found.to_dict(), indent=2, allow_nan=False) if as_json else str(found))


@app.command()
def report(
    subject: Annotated[Path, typer.Argument(help="A model folder or a forecast store.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    source: Annotated[str | None, typer.Option("--from", help="Data to backtest a model on.")] = None,
    windows: Annotated[int, typer.Option(help="Most windows of the backtest.")] = 28,
    members: Members = 100,
) -> None:
    """Write one self-contained page about a model or a forecast."""
    from rheos.report.assemble import report_forecast, report_model

    command = " ".join(["rheos", *sys.argv[1:]])
    with progress_line() as tell:
        if (subject / "config.json").exists():
            report_model(subject, out, source, windows, members, command, tell)
        else:
            report_forecast(subject, out, command)
    _print(str(out))


@app.command()
def template(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    source: Annotated[str | None, typer.Option("--from", help="Data to forecast from.")] = None,
    out: Annotated[Path, typer.Option(help="The table to write.")] = Path("future.csv"),
) -> None:
    """Write the table of known-future columns to fill in before forecasting."""
    from rheos.forecast.template import write_template

    _print(str(write_template(model, source, out)))


@app.command()
def methods(
    word: Annotated[str | None, typer.Argument(help="A method's word, for all that there is on it.")] = None,
    as_json: AsJson = False,
) -> None:
    """List every method by room, or tell of one: equation, options, what it goes with, paper."""
    from rheos.forecast.catalog import catalog
    from rheos.forecast.page import pages_for

    if word is not None:
        pages = pages_for(word)
        told = "\n\n\n".join(page.text() for page in pages)
        _print(json.dumps([page.to_dict() for page in pages], indent=2) if as_json else told)
        return
    rooms = catalog()
    if as_json:
        _print(json.dumps(rooms, indent=2))
        return
    for room, entries in rooms.items():
        _print(room)
        for word, line in entries.items():
            _print(f"  {word:<22} {line}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the models and the report.")] = Path("rheos-demo"),
    seconds: Annotated[float, typer.Option(help="Training time of each of the two models.")] = 75.0,
) -> None:
    """Train, forecast, score and draw on embedded real data and a simulated turbulent flow."""
    from rheos.demo import run_demo

    with progress_line() as tell:
        text, page = run_demo(out, seconds, tell)
    _print(text)
    _print(str(page))


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        _print(__version__)
        raise typer.Exit()


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; deliberate errors become one sentence on stderr and exit code 2."""
    from rheos.core.allocator import keep_large_buffers

    keep_large_buffers()
    try:
        app(args=arguments, prog_name="rheos")
    except RheosError as error:
        sys.stderr.write(f"rheos: {error}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        sys.stderr.write("rheos: interrupted; the same command continues where it stopped.\n")
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(1) from None
    except OSError as error:
        # A full disk or a folder without permission is the user's to mend, not a bug to trace.
        raise SystemExit(_complain(error)) from None


def _complain(error: OSError) -> int:
    place = f" {error.filename}" if error.filename else ""
    sys.stderr.write(f"rheos:{place} {error.strerror or error}; nothing half-written was left in place.\n")
    return 2
