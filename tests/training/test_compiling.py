import torch

from variformer.training import compiling

CPU = torch.device("cpu")


def test_without_a_compiler_the_run_goes_on_uncompiled(monkeypatch, caplog):
    def broken(function):
        def call(*arguments):
            raise RuntimeError("No working C++ compiler found\nmore")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    assert compiling.usable_mode("default", CPU) == "none"
    assert "No working C++ compiler found" in caplog.text


def test_nothing_is_tried_unless_asked(monkeypatch):
    monkeypatch.setattr(torch, "compile", None)
    assert compiling.usable_mode("none", CPU) == "none"
