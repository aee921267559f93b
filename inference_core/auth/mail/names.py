"""The names of the mail tasks. Their arguments never contain a token, because the tasks create the tokens."""

PASSWORD_RESET = "mail.password_reset"  # noqa: S105  # a task's name
EMAIL_VERIFICATION = "mail.email_verification"
EMAIL_CHANGED = "mail.email_changed"
ACCOUNT_EXISTS = "mail.account_exists"
EMAIL_CHANGE = "mail.email_change"
FAILED_LOGINS = "mail.failed_logins"
INVITATION = "mail.invitation"
SEND_DUE = "mail.send_due"
