"""A service in a package of its own, which adds one feature that uses every field."""
