"""Progress in a notebook: the cell has one output, and its text is replaced again and again."""

import io
import sys
import time
from typing import Protocol

from rich.console import Console
from rich.progress import Progress, ProgressColumn, TaskID

WIDTH = 100  # characters
PAUSE = 0.25  # seconds between two texts


class Output(Protocol):
    """IPython's handle of an output of a cell."""

    def update(self, content: dict[str, str], raw: bool) -> None: ...


def in_notebook() -> bool:
    """Whether an IPython kernel runs this process, as that of a Jupyter notebook does."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


class NotebookProgress(Progress):
    """The same bar as on a terminal, but as plain text, at most every `PAUSE` seconds."""

    def __init__(self, *columns: str | ProgressColumn):
        plain = Console(file=io.StringIO(), width=WIDTH, color_system=None, force_jupyter=False)
        super().__init__(*columns, console=plain, auto_refresh=False)
        self.output: Output | None = None
        self.shown_at = 0.0

    def start(self) -> None:
        from IPython.display import display

        self.output = display(self.content(), raw=True, display_id=True)

    def update(
        self,
        task_id: TaskID,
        *,
        total: float | None = None,
        completed: float | None = None,
        advance: float | None = None,
        description: str | None = None,
        visible: bool | None = None,
        refresh: bool = False,
        **fields: object,
    ) -> None:
        super().update(
            task_id,
            total=total,
            completed=completed,
            advance=advance,
            description=description,
            visible=visible,
            refresh=refresh,
            **fields,
        )
        self.show()

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
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
