"""How a scope behaves while the load is disturbed, and how long after it."""
