"""Notes: each user writes, reads, changes and deletes their own."""
