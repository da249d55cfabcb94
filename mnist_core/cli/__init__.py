"""The command line: `python -m mnist_core train / test / predict / benchmark`, one file for each."""
