"""Load shapes: profiles, stages, arrivals, and the order in which user classes get users. Pure functions."""
