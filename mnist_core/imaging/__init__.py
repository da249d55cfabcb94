"""From any picture to the network's input, and from a picture of a number to its digits."""
