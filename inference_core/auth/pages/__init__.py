"""The pages to which mails link."""
