"""Runs in this process."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def quick(no_picture_of_the_curves, few_documents):
    """Hardly a test of this room looks at curves, or needs much text."""
