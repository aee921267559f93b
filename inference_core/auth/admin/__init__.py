"""Administration of accounts by superusers."""
