"""The service with one more feature, which causes slowness on command, for the proof of attribution."""
