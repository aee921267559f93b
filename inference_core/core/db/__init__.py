"""Relational storage: engines, sessions, the base of models, and migrations."""
