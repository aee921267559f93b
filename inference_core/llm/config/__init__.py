"""What `llm_config.yaml` may say, how it is read, and what follows from it for one request."""
