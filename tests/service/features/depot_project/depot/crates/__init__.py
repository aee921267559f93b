"""The feature of the depot."""
