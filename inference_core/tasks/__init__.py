"""Tasks over HTTP: what the workers are doing, and what became of a task somebody submitted."""
