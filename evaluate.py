"""`python evaluate.py run_dir=RUN split=test`: the same as `variformer evaluate run_dir=RUN split=test`."""

import sys

from variformer.cli.commands import evaluate

if __name__ == "__main__":
    evaluate(sys.argv[1:])
