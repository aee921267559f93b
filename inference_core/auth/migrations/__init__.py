"""The revisions of the tables of accounts, oldest first by their number."""
