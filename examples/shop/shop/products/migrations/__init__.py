"""The history of the table of products."""
