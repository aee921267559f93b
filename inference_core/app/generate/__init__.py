"""Generators of features and services. They copy `reference`, a small service that is tested like any other code."""
