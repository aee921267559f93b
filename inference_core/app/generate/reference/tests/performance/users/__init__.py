"""The simulated users, one module for each feature."""
