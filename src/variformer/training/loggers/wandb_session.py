"""Starting a W&B run: online where that works, else offline with a message that says why."""

import queue
import shlex
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from .dashboard import Values

if TYPE_CHECKING:
    from wandb.sdk.wandb_run import Run

Mode = Literal["online", "offline", "disabled", "shared"]

# Seconds: for any answer of the server, for starting a run, and for sending what is left when it ends.
PATIENCE, INIT_TIMEOUT, FINISH_TIMEOUT = 3.0, 15.0, 30.0


def begin(about: Values, mode: Mode | None) -> "Run":
    """Start a W&B run with the arguments `about` of wandb.init; offline if there is no server or no login.

    With `mode` None, W&B's own settings and $WANDB_MODE decide.
    """
    import wandb

    given = wandb.setup().settings
    chosen = cast(Mode, mode or given.mode)
    if chosen == "online":
        try:
            why = obstacle(given.base_url)
            if why is None:
                limits = wandb.Settings(
                    init_timeout=INIT_TIMEOUT, finish_timeout=FINISH_TIMEOUT, finish_timeout_raises=True
                )
                return wandb.init(**about, mode=chosen, resume="allow", settings=limits)
        except Exception as error:  # whatever goes wrong in W&B: it must not cost the training
            why = f"{given.base_url} refused the run: {error}"
        print(f"W&B goes offline: {why}. When the run has ended it says how to send it.", flush=True)
        chosen = "offline"
    return wandb.init(**about, mode=chosen)


def obstacle(server: str) -> str | None:
    """Why the server cannot take a run now, or None. Takes seconds, where wandb.init would take minutes."""
    import wandb

    if not answers(server):
        return f"{server} does not answer"
    if not wandb.login(prompt=False, verify=False):
        return f"nobody is logged in to {server} (`wandb login`)"
    return None


def answers(server: str, patience: float = PATIENCE) -> bool:
    """Whether the server answers in time, also with an error, and also through a proxy.

    It runs in a thread, because looking up a name has no time limit.
    """
    answer: queue.Queue[bool] = queue.Queue()
    threading.Thread(target=lambda: answer.put(responds(server, patience)), daemon=True).start()
    try:
        return answer.get(timeout=patience)
    except queue.Empty:
        return False


def responds(server: str, patience: float) -> bool:
    try:
        urllib.request.urlopen(server, timeout=patience).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def sync_command(run: "Run") -> str:
    """The command that sends every session of a W&B run that is on this disk, oldest first.

    A session that was online is sent again completely, because it is not known how much of it has arrived.
    """
    folder = Path(run.settings.sync_dir).parent
    online, offline = (sorted(folder.glob(f"{kind}-*-{run.id}")) for kind in ("run", "offline-run"))
    sessions = sorted([*online, *offline], key=lambda path: path.name.removeprefix("offline-"))
    return shlex.join(["wandb", "sync", *(["--include-online"] if online else []), *map(str, sessions)])
