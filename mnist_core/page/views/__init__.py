"""What Python renders of a run or a toy."""
