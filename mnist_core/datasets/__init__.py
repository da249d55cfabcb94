"""Where digits come from: MNIST, its download, synthetic digits, and how batches are varied."""
