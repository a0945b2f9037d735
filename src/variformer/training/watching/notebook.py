"""Progress in a notebook, which has no cursor to move: one output of the cell, whose text is replaced."""

import io
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn

WIDTH = 100  # characters
PAUSE = 0.25  # seconds between two texts


def in_notebook() -> bool:
    """Whether an IPython kernel runs this process, as that of a Jupyter notebook does."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


class NotebookProgress(Progress):
    """The same bar as on a terminal, as plain text."""

    def __init__(self, *columns: str | ProgressColumn):
        plain = Console(file=io.StringIO(), width=WIDTH, color_system=None, force_jupyter=False)
        super().__init__(*columns, console=plain, auto_refresh=False)
        self.output: Any = None
        self.shown_at = 0.0

    def start(self) -> None:
        from IPython.display import display

        self.output = display(self.content(), raw=True, display_id=True)

    def update(self, *arguments: Any, **settings: Any) -> None:
        super().update(*arguments, **settings)
        self.show()

    def advance(self, *arguments: Any, **settings: Any) -> None:
        super().advance(*arguments, **settings)
        self.show()

    def stop(self) -> None:
        self.show(pause=0)

    def show(self, pause: float = PAUSE) -> None:
        if self.output is not None and time.monotonic() - self.shown_at >= pause:
            self.shown_at = time.monotonic()
            self.output.update(self.content(), raw=True)

    def content(self) -> dict[str, str]:
        with self.console.capture() as captured:
            self.console.print(self.get_renderable())
        return {"text/plain": captured.get().rstrip()}
