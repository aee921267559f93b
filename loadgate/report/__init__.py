"""The reports of a run for people and CI systems, made only from its run.json."""
