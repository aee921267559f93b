"""Maintenance: delete expired data of all features."""
