"""The names of the mail tasks, for those who send them."""

PASSWORD_RESET = "mail.password_reset"  # noqa: S105  # a task's name
