"""Accounts: registration, login, profile, passwords, access tokens and refresh sessions."""
