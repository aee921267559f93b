"""How many requests a core of the load generator makes: BaseUser beside plain FastHttpUser and plain HttpUser."""
