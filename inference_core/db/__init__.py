"""Relational storage: engine, sessions, models\x27 base, migrations."""
