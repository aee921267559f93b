"""The revisions of the tables of the LLM endpoints, oldest first by their number."""
