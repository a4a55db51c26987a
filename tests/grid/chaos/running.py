"""One seed from its beginning to its end, in a folder that is gone afterwards."""

import shutil
import tempfile
import traceback
from pathlib import Path

from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.liveness import Liveness
from tests.grid.chaos.lives import Lives
from tests.grid.chaos.people import People
from tests.grid.chaos.reunions import Reunions
from tests.grid.chaos.safety import Safety

MODES = {"safety": Safety, "liveness": Liveness, "lives": Lives, "people": People, "reunions": Reunions}


def run_seed(seed: int, mode: str = "safety", verbose: bool = False) -> tuple[str, list[str]]:
    """Why a seed fails, empty when it does not; and its journal."""
    shared = Path("/dev/shm")
    base = Path(tempfile.mkdtemp(prefix="chaos-", dir=shared if shared.is_dir() else None))
    field = Field(seed, base, verbose)
    try:
        MODES[mode](field).go()
        return "", field.journal
    except Finding as finding:
        return str(finding), field.journal
    except Exception:  # noqa: BLE001 - whatever it is, the seed has failed, and the next one is to run
        return traceback.format_exc(), field.journal
    finally:
        shutil.rmtree(base, ignore_errors=True)


def replay(seed: int, mode: str) -> str:
    """The command that runs a seed again."""
    return f"python -m tests.grid.chaos {seed} {seed} --mode {mode} -v"
