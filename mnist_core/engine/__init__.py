"""What runs under `fit`: the step, the loop, the derived network, and what a run leaves behind."""
