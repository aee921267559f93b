"""Calls the service with a client that openapi-python-client made: `call_python.py URL NAME PASSWORD`."""

import sys

from service_client import AuthenticatedClient, Client
from service_client.api.accounts import log_in, log_out, me, refresh, register
from service_client.api.tasks import task_status
from service_client.models import Login, Problem, RefreshRequest, Registration

url, name, password = sys.argv[1:]
client = Client(url, raise_on_unexpected_status=True)
registered = register.sync(
    client=client, body=Registration(username=name, email=f"{name}@example.com", password=password)
)
print("registered", registered.username)
tokens = log_in.sync(client=client, body=Login(username=name, password=password))
renewed = refresh.sync(client=client, body=RefreshRequest(refresh_token=tokens.refresh_token))
signed_in = AuthenticatedClient(url, renewed.access_token, raise_on_unexpected_status=True)
print("me", me.sync(client=signed_in).email)
refused = task_status.sync("none", client=AuthenticatedClient(url, "bad", raise_on_unexpected_status=True))
assert isinstance(refused, Problem)
print("refused", refused.status)
print("out", log_out.sync(client=signed_in, body=RefreshRequest(refresh_token=renewed.refresh_token)).success)
