"""When a scope was slow, and which measured wait explains it."""
