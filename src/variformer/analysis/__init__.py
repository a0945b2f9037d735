"""What does a model cost?

cost.py: parameters, floating-point operations, and the speed of the machine. memory.py: the memory of a training step.
machine_memory.py: the memory that is free, and whether an error means that it ran out.
figures.py: the curves as a picture.
"""
