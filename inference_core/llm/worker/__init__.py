"""The tasks in a worker: their message, their answer, and their end."""
