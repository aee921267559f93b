"""The load suite of the depot."""
