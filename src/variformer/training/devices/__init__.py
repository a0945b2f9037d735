"""How a run is spread over processes and devices: DDP, FSDP2, and the processes that they start."""
