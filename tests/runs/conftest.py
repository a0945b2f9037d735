"""Runs in this process."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def quick(no_picture_of_the_curves):
    """No test of this room looks at it."""
