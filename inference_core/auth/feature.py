"""The accounts feature."""

from inference_core.auth.mail.names import SEND_DUE
from inference_core.core.feature import Feature, Periodic, Tag

SEND_DUE_MAIL_EVERY_S = 60.0

feature = Feature(
    name="accounts",
    requires=("mail",),
    settings="inference_core.auth.settings:AuthSettings",
    tags=(
        Tag(
            "accounts", "Registration, login, sessions, API keys and the own profile. Start with `POST /auth/register`."
        ),
        Tag("administration", "Accounts, invitations and roles. For superusers, and for roles with the permission."),
    ),
    hot_routers="inference_core.auth.routers:hot_routers",
    routers="inference_core.auth.routers:routers",
    models="inference_core.auth.models",
    migrations="inference_core.auth.migrations",
    tasks=("inference_core.auth.tasks",),
    schedule=(Periodic("send-due-mail", task=SEND_DUE, every_s=SEND_DUE_MAIL_EVERY_S),),
    lifespan="inference_core.auth.state:open_accounts",
    metrics="inference_core.auth.telemetry:AuthMetrics",
    check="inference_core.auth.admin.first_superuser:check",
    purge="inference_core.auth.purge:purge",
    commands="inference_core.auth.commands:commands",
    # One history had the tables of accounts and of the LLM endpoints before each feature had its own.
    earlier_revisions={
        "0001": ("accounts_0001",),
        "0002": ("accounts_0001", "llm_0001"),
        "0003": ("accounts_0002", "llm_0001"),
        "0004": ("accounts_0002", "llm_0002"),
    },
)
