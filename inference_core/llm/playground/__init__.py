"""The page for streamed conversations, in development only."""
