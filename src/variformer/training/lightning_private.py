"""All private names of Lightning that this package uses. `tests/training/test_lightning_private.py` names each of them.

Lightning offers no public way to what they do. pyproject.toml bounds its version for that reason.
"""

import signal
import sys
from collections.abc import Callable, Sequence

import lightning as L
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector

from .contract import State

ScriptLauncher = _SubprocessScriptLauncher


class NoSignalHandlers(_SignalConnector):
    """Lightning's, but it registers no handler."""

    def register_signal_handlers(self) -> None:
        """Leave all signals to the handlers that are there."""


def leave_signals_alone(trainer: L.Trainer) -> None:
    """Let the trainer register no signal handlers of its own.

    Lightning's handler broadcasts from within, which hangs where not all processes get the signal.
    """
    trainer._signal_connector = NoSignalHandlers(trainer)


class HeldBackLauncher(_SubprocessScriptLauncher):
    """Starts the other processes of a machine by `command`, with some signals blocked.

    A child inherits the blocked signals, and they stay pending until it unblocks them.
    """

    def __init__(
        self, of: _SubprocessScriptLauncher, command: Callable[[], list[str]], blocked: Sequence[signal.Signals]
    ):
        super().__init__(of.cluster_environment, of.num_processes, of.num_nodes)
        self.command, self.blocked = command, blocked

    def _call_children_scripts(self) -> None:
        before, arguments = signal.pthread_sigmask(signal.SIG_BLOCK, self.blocked), sys.argv
        sys.argv = self.command()  # from which Lightning takes the command
        try:
            super()._call_children_scripts()
        finally:
            sys.argv = arguments
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def set_complete_steps(loops: State, steps: int) -> None:
    """Set the count of complete steps in the saved state of the training loop."""
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] = steps
