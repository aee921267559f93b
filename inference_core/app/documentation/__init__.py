"""The pages that describe the API to people."""
