"""The mails of accounts: their tasks' names, templates and tokens, and mails that are due."""
