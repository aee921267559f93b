"""A language model that costs nothing: planned times, real load, faults on demand; all standard library."""
