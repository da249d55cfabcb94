"""Views of a run or a toy, rendered in Python."""
