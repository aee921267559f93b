"""What people and CI systems read of a run, made from its run.json alone."""
