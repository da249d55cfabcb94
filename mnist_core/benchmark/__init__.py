"""Speed, beside the book's pipeline."""
