import pytest


@pytest.fixture(scope="module", autouse=True)
def no_picture_of_the_curves():
    """Drawing it takes longer than a few steps of training; test_commands.py, whose runs are processes, has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("variformer.cli.train.draw_curves", lambda rows, path: path)
        yield
