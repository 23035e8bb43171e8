"""Everything a recipe can name, by room, straight from the registries."""

from rheos.baseline import BASELINES
from rheos.baseline.learned import LEARNED
from rheos.baseline.peer import PEERS
from rheos.calibrate import CALIBRATIONS
from rheos.core.method import Method
from rheos.data.anchor import ANCHORS
from rheos.data.codec import CODECS
from rheos.data.generator import GENERATORS
from rheos.denoise import ENERGIES, OBJECTIVES
from rheos.denoise.time_sampler import TIME_SAMPLERS
from rheos.denoise.times import TIMES
from rheos.network import NETWORKS
from rheos.process import PROCESSES_BETWEEN, TOKEN_PROCESSES
from rheos.process.coordinates import COORDINATES
from rheos.process.noise import NOISES
from rheos.process.recipes import PROCESSES
from rheos.process.schedule import SCHEDULES
from rheos.sample.correction import CORRECTIONS
from rheos.sample.grid import GRIDS
from rheos.sample.guidance import GUIDANCES
from rheos.sample.path import PATHS
from rheos.sample.solver import FLOW_SOLVERS, SOLVERS
from rheos.sample.unmasking import UNMASKINGS

ROOMS: dict[str, tuple[type[Method], ...]] = {
    "process": PROCESSES,
    "token_process": TOKEN_PROCESSES,
    "process_between": PROCESSES_BETWEEN,
    "schedule": SCHEDULES,
    "coordinates": COORDINATES,
    "noise": NOISES,
    "codec": CODECS,
    "anchor": ANCHORS,
    "network": NETWORKS,
    "objective": OBJECTIVES,
    "energy": ENERGIES,
    "time_sampler": TIME_SAMPLERS,
    "times": TIMES,
    "grid": GRIDS,
    "path": PATHS,
    "solver": SOLVERS,
    "flow_solver": FLOW_SOLVERS,
    "correction": CORRECTIONS,
    "guidance": GUIDANCES,
    "unmasking": UNMASKINGS,
    "calibration": CALIBRATIONS,
    "baseline": BASELINES,
    "learned_baseline": LEARNED,
    "peer": PEERS,
    "generator": GENERATORS,
}


def catalog() -> dict[str, dict[str, str]]:
    """The word and first docstring line of every method, by room."""
    return {room: {m.name(): m.summary() for m in registry} for room, registry in ROOMS.items()}
