"""How is a run spread over processes and devices?

strategies    the strategy that `trainer.strategy` names, and what SLURM's environment must leave to us
replication   DDP: each device has a copy of the model
sharding      FSDP2: each device has a part of every weight; how parts become full tensors again and back
launcher      how the first process of a machine starts the others and ends them

`strategies` builds the strategies of `replication` and `sharding`, and both use `launcher`. Other rooms import from
`sharding` what they need to read or write weights that may be split.
"""
