"""From any picture to what the network sees, and from a picture of a number to its digits."""
