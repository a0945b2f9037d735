"""A run as an ONNX file, which programs without Python can run."""

from pathlib import Path

from ..run_directory.directory import RunDirectory
from ..weights import onnx
from .folders import require_writable
from .loading import load_run


def export_onnx(run_dir: str | Path, file: str | Path, *, checkpoint: str = "last", force: bool = False) -> list[str]:
    """Write the model of a run as one ONNX file. Returns lines about its inputs and its accuracy.

    Raises ImportError where the extra is not installed.
    Raises FileExistsError where the file is there, unless `force`.
    Raises ValueError where ONNX Runtime does not give the model's scores.
    """
    file, run = Path(file).resolve(), RunDirectory(run_dir)
    onnx.require_extra()
    if file.exists() and not force:
        raise FileExistsError(f"{file} exists: choose another name, or --force to replace it")
    require_writable(file.parent)
    file.parent.mkdir(parents=True, exist_ok=True)
    model = load_run(run.path, checkpoint)
    distance = onnx.write_onnx(model, file)
    inputs = [f"input {name}: {said}" for name, said in onnx.inputs_of(model).items()]
    return [*inputs, f"ONNX Runtime's scores differ from the model's by {distance:.0e} of the largest", f"file: {file}"]
