"""Limits on guessing, hashing, mail and requests."""
