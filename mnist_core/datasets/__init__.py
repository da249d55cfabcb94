"""Where digits come from: MNIST, its download, synthetic digits, and augmentation."""
