"""What the user probably meant."""

import difflib
from collections.abc import Collection


def hint(wrong: str, known: Collection[str]) -> str:
    """`; did you mean `heads`? (known: width, depth, ...)`, as much of it as is true."""
    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    meant = f"; did you mean `{close[0]}`?" if close else ""
    listed = list(known)
    names = ", ".join(listed[:20]) + (", ..." if len(listed) > 20 else "")
    return f"{meant} (known: {names or 'none'})"
