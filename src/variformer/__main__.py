"""`python -m variformer`: the same as the command `variformer`."""

from .cli.main import app

if __name__ == "__main__":
    app()
