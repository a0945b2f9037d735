"""The error that lists what is wrong with a config, and the names that a user may have meant."""

import difflib
from collections.abc import Collection


class ConfigError(ValueError):
    """Everything that is wrong with a config, one problem a line. Each line names the key and the cure."""

    def __init__(self, problems: Collection[str]):
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def did_you_mean(wrong: str, known: Collection[str]) -> str:
    """`; did you mean `heads`? (known: width, depth, ...)`. Without the question where no known name is similar."""
    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    meant = f"; did you mean `{close[0]}`?" if close else ""
    listed = list(known)
    names = ", ".join(listed[:20]) + (", ..." if len(listed) > 20 else "")
    return f"{meant} (known: {names or 'none'})"
