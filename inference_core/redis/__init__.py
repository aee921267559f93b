"""The process's Redis connections, and how their errors become the service's own."""
