"""One value for each metric and step."""

from collections.abc import Mapping


class Once:
    """Keeps only the first value of a metric at a step: a run's last validation may repeat numbers."""

    def __init__(self, step: int | None = None, names: set[str] | None = None):
        self.step, self.names = step, names or set()

    def __call__(self, metrics: Mapping[str, float], step: int | None) -> dict[str, float]:
        if step != self.step:
            self.step, self.names = step, set()
        new = {name: value for name, value in metrics.items() if name not in self.names}
        self.names |= new.keys()
        return new
