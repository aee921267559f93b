"""The revisions of the tables of the LLM feature, numbered from the oldest."""
