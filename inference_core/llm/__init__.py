"""LLM endpoints: explain and converse with real providers when a key is there, with a faithful simulation when not."""
