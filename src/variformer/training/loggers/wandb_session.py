"""Starting a W&B run: online where that works, else offline with a word about why."""

import queue
import shlex
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

# Seconds: for any answer of the server, for starting a run, and for sending what is left when it ends.
PATIENCE, INIT_TIMEOUT, FINISH_TIMEOUT = 3.0, 15.0, 30.0


def begin(about: dict[str, Any], mode: str | None) -> Any:
    """A started W&B run with wandb.init's arguments `about`; offline if there is no server or no login.

    `mode` None is what W&B's own settings and $WANDB_MODE say.
    """
    import wandb

    given = wandb.setup().settings
    chosen: Any = mode or given.mode
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
    """Whether the server, through whatever proxy there is, answers in time, be it with an error.

    In a thread, because looking a name up cannot be given a time limit.
    """
    told: queue.Queue[bool] = queue.Queue()
    threading.Thread(target=lambda: told.put(responds(server, patience)), daemon=True).start()
    try:
        return told.get(timeout=patience)
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


def sync_command(run: Any) -> str:
    """The command that sends every session of a W&B run that is on this disk, oldest first.

    What was online is sent again as a whole, since nobody here knows how much of it has arrived.
    """
    folder = Path(run.settings.sync_dir).parent
    online, offline = (sorted(folder.glob(f"{kind}-*-{run.id}")) for kind in ("run", "offline-run"))
    sessions = sorted([*online, *offline], key=lambda path: path.name.removeprefix("offline-"))
    return shlex.join(["wandb", "sync", *(["--include-online"] if online else []), *map(str, sessions)])
