"""The mail feature."""

from inference_core.core.feature import Feature, Queue

feature = Feature(
    name="mail",
    settings="inference_core.mail.settings:MailSettings",
    queues=(Queue("mail", prefix="mail."),),
    announce="inference_core.mail.transport:announce",
    purge="inference_core.mail.transport:purge_outbox",
)
