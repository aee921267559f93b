"""Access tokens, and refresh sessions with their tokens."""
