"""The configuration `llm_config.yaml`: its schema, its reader and its policies."""
