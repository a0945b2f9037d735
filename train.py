"""`python train.py experiment=bert`: the same as `variformer train experiment=bert`, from a checkout."""

import sys

from variformer.cli.commands import train

if __name__ == "__main__":
    train(sys.argv[1:])
