"""Registration, login, profile and passwords of accounts."""
