"""The routes of the LLM endpoints, their dependencies and their bodies."""
