"""Create the FastAPI application of a service, for servers and tests."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from inference_core import __version__
from inference_core.app import routes
from inference_core.app.edge.allowed_hosts import AllowedHostMiddleware
from inference_core.app.edge.bodies import BodyLimits
from inference_core.app.edge.forwarded import Forwarding
from inference_core.app.edge.middleware import Edge, EdgeMiddleware
from inference_core.app.edge.proxied_clients import ProxiedClients
from inference_core.app.lifespan import lifespan_for
from inference_core.app.openapi import install_openapi
from inference_core.core.addresses import TrustedProxies
from inference_core.core.current_service import current_service
from inference_core.core.exceptions import ServiceError
from inference_core.core.feature import FeatureError, Service
from inference_core.core.loggers import get_logger
from inference_core.core.logging import configure_logging, logs_are_json
from inference_core.core.paths import PROBES
from inference_core.core.problems import install_error_handlers
from inference_core.core.service_settings import settings_class
from inference_core.core.settings import Settings, load_settings, misspelt_settings
from inference_core.core.telemetry.access_log import AccessLog
from inference_core.core.telemetry.metrics import Metrics
from inference_core.core.telemetry.reporting import configure_reporting
from inference_core.core.traffic import Traffic

log = get_logger(__name__)

# Response headers that scripts of other origins can read, in addition to the default ones.
EXPOSED_HEADERS = ("Retry-After", "X-Request-ID")


def create_application(service: Service | None = None, settings: Settings | None = None) -> FastAPI:
    """Create the application.

    Args:
        service: The default is `current_service()`.
        settings: An instance of the service's settings. The default is to read the environment and `.env`.

    Raises:
        SettingsError, FeatureError: The settings, the configuration of a feature or a feature itself is not valid.
    """
    service = service or current_service()
    misspelt = misspelt_settings(settings_class(service)) if settings is None else []
    settings = settings or load_settings(settings_class(service))
    for _, check in service.load_each("check"):
        check(settings)
    configure_logging(settings)
    for line in misspelt:
        log.warning("unknown_setting", detail=line)
    tracing = configure_reporting(settings)
    metrics = Metrics()
    for feature, kind in service.load_each("metrics"):
        try:
            metrics.feature(kind)
        except ValueError as error:  # a name that is taken or not valid
            raise FeatureError(f"feature {feature.name}: metrics: {error}") from None
    edge = Edge(
        traffic=Traffic(settings.max_concurrent_requests, settings.max_queued_requests),
        metrics=metrics,
        access_log=AccessLog(settings.access_log, logs_are_json(settings), metrics.log_lines_lost.inc),
        tracing=tracing,
        bodies=BodyLimits(settings.max_body_bytes, settings.max_form_bytes),
        forwarding=Forwarding(TrustedProxies.parse(settings.trusted_proxies)),
        proxied_clients=ProxiedClients(settings.max_connections_per_address),
    )
    public = not settings.is_production
    app = FastAPI(
        title=settings.app_title,
        description=settings.app_description,
        version=__version__,
        debug=False,  # Starlette's debug pages contain stack traces
        docs_url=None,  # FastAPI's pages load scripts from another host
        redoc_url=None,
        openapi_tags=routes.tags_of(service),
        openapi_url="/openapi.json" if public else None,
        lifespan=lifespan_for(service, settings, edge),
        # One span per request, and none for health checks.
        telemetry={
            "tracing": tracing,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "exclude": lambda scope: scope["path"] in PROBES,
        },
    )
    install_error_handlers(app, _library_errors(service))
    install_openapi(app)
    routes.mount(app, service, settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials="*" not in settings.cors_origins,
            expose_headers=EXPOSED_HEADERS,
        )
    if settings.allowed_hosts != ["*"]:
        app.add_middleware(AllowedHostMiddleware, allowed_hosts=settings.allowed_hosts)
    app.add_middleware(EdgeMiddleware, edge=edge)
    return app


def _library_errors(service: Service) -> dict[type[Exception], type[ServiceError]]:
    """Return the mapping of all features from exceptions of libraries to errors of the service."""
    errors: dict[type[Exception], type[ServiceError]] = {}
    for feature, mapping in service.load_each("errors"):
        for error, kind in mapping.items():
            if not (isinstance(kind, type) and issubclass(kind, ServiceError)):
                raise FeatureError(f"feature {feature.name}: errors: {kind!r} is not a subclass of ServiceError")
            if not (isinstance(error, type) and issubclass(error, Exception)):
                raise FeatureError(f"feature {feature.name}: errors: {error!r} is not a subclass of Exception")
            if error in errors:
                raise FeatureError(f"feature {feature.name}: errors: another feature already converts {error.__name__}")
            errors[error] = kind
    return errors
