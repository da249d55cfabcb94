"""What the layers compute for a drawing, what its answer rests on, and the smallest edit that changes it."""
