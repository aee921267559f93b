"""Roles: named sets of permissions that superusers give to users."""
