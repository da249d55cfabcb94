"""The command line: `python -m mnist_core train / test / predict / strings / benchmark`, a file for each."""
