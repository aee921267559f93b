"""The limits of users, the charges of answers, and the reports of usage."""
