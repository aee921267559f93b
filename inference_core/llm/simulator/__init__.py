"""A simulated language model with planned times, real load and optional faults. Uses only the standard library."""
