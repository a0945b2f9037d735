"""How trained models come in and go out: loading, importing, exporting, and the files that are written beside them.

loading.py: a model with its tokenizer or transform, from a run directory or a Hugging Face folder.
sources.py: the config of an earlier model, for model=source.
importing.py, nodes.py: a published model as a run directory.
outgoing.py, exporting.py, model_card.py, onnx_file.py: a run as a Hugging Face folder, or as an ONNX file.
measured.py, describing.py: what was measured of a model, and what `variformer info` prints.
"""
