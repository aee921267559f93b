"""Builds a service from its features: application, worker, command line, embedded stack."""
