"""The Redis connections of the process, and the conversion of their errors."""
