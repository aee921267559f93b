"""Relational storage: engine, sessions, the models' base, migrations."""
