"""The embedded stack: all parts of the service on one machine, started and stopped together."""
