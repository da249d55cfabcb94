"""Speed, compared with the book's pipeline."""
