"""Commands."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def quick(no_picture_of_the_curves):
    """test_commands.py, whose runs are processes of their own, has the picture."""
