"""Tasks over HTTP: the state of the workers, and the submitted tasks."""
