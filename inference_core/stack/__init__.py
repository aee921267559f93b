"""The embedded stack: everything the service needs, started on one machine and stopped together."""
