"""Credentials of requests, and the accounts behind them."""
