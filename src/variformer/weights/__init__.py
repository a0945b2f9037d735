"""How do the checkpoints of Hugging Face become our models, and our models theirs?

tables/: one file for each of their model types: the names of tensors, and the config, both ways.
table.py: what such a file consists of.
huggingface.py: reading and writing by these tables; settings.py and matching.py check their values and their tensors.
describe.py, destination.py: which parts a model has, and which class of transformers has the same.
files.py, onnx.py: files of tensors, and ONNX files. transfer.py: starting a model from the weights of another.
"""
