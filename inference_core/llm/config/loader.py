"""Read `llm_config.yaml`. Every mistake is reported with its file, line and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import yaml
from pydantic import SecretStr, ValidationError

from inference_core.core.settings import Settings, SettingsError
from inference_core.llm.config.access import Access, is_usable
from inference_core.llm.config.checks import check_references
from inference_core.llm.config.environment import (
    BadCertificatesError,
    BadProxyError,
    check_certificates,
    check_proxies,
    is_loopback,
    process_environment,
)
from inference_core.llm.config.places import Document, Mistake, dotted, read_yaml
from inference_core.llm.config.schema import LLMConfig, ProviderConfig
from inference_core.llm.settings import LLMSettings

# The defaults without a file. `llm_config.example.yaml` is a copy.
BUILT_IN_FILE = files("inference_core.llm.config") / "default.yaml"
DEFAULT_FILE = Path("llm_config.yaml")
# The optional clients, which extras of the same names install.
CLIENTS: Mapping[str | None, str] = {"anthropic": "anthropic", "gemini": "google.genai"}


class LLMConfigError(SettingsError):
    """Raised if the LLM configuration is invalid. The text has one line for each mistake."""


def load_llm_config(settings: Settings, environ: Mapping[str, str] | None = None) -> LLMConfig:
    """Return the configuration in `LLM_CONFIG_FILE`.

    If the variable is not set and there is no `llm_config.yaml`, return the built-in configuration.

    Args:
        settings: The settings with the path of the file.
        environ: The variables that can override values. The default is `process_environment()`.

    Raises:
        LLMConfigError: The file is invalid. The text names the file, the line and the key of each mistake.
    """
    environ = process_environment() if environ is None else environ
    own = settings.of(LLMSettings)
    path = own.llm_config_file
    if path == DEFAULT_FILE and not path.exists():
        text = BUILT_IN_FILE.read_text(encoding="utf-8")
        return parse_llm_config(text, "built-in llm_config.yaml", environ, own)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LLMConfigError(f"{path}: cannot be read ({type(error).__name__}); check LLM_CONFIG_FILE") from None
    return parse_llm_config(text, str(path), environ, own)


def parse_llm_config(
    text: str, name: str, environ: Mapping[str, str], settings: LLMSettings | None = None
) -> LLMConfig:
    """Parse and check the text of a configuration.

    Args:
        text: The YAML text.
        name: The name of the file in messages.
        environ: The variables that can override values.
        settings: With settings, the providers that may be called are also checked: their clients, keys and proxies.

    Raises:
        LLMConfigError: The text is invalid. The message names the line and the key of each mistake.
    """
    document = read_yaml(text)
    if document.data is None and not document.mistakes:
        document.data = {}
    overridden = _apply_overrides(document, environ)
    mistakes = list(document.mistakes)
    config: LLMConfig | None = None
    try:
        config = LLMConfig.model_validate(document.data)
    except ValidationError as error:
        if not any(mistake.what.startswith("not YAML") for mistake in mistakes):
            mistakes += [_mistake(document, detail["loc"], detail["type"], detail["msg"]) for detail in error.errors()]
    mistakes += check_references(document, config)
    if config and settings and not mistakes:
        mistakes += _unreachable(document, config, Access.of(settings, config, environ))
    if mistakes or config is None:
        raise LLMConfigError("\n".join(_line(name, mistake, overridden) for mistake in sorted(set(mistakes))))
    return config


def _unreachable(document: Document, config: LLMConfig, access: Access) -> Iterator[Mistake]:
    """Return the problems that prevent calls of the permitted providers."""
    for name, provider in config.providers.items():
        if access.may_call(name, provider):
            for place, what in _obstacles(name, provider, access.keys.get(name)):
                path = ("providers", name, *place)
                yield Mistake(document.line_of(path), dotted(path), what)


def _obstacles(name: str, provider: ProviderConfig, key: SecretStr | None) -> Iterator[tuple[tuple[str, ...], str]]:
    kind = provider.kind_for(name)
    if kind in CLIENTS and not _installed(CLIENTS[kind]):
        yield (), f"needs a client that is not installed: poetry install -E {kind}"
    if key is not None and not is_usable(key.get_secret_value()):
        what = (
            f"{provider.api_key_env} does not contain a valid key: a key has no blanks, quotes or non-ASCII characters"
        )
        yield ("api_key_env",), what
    if kind != "simulated" and not is_loopback(provider.base_url or ""):
        try:
            check_proxies()
            check_certificates()
        except (BadProxyError, BadCertificatesError) as error:
            yield (), f"cannot be reached: {error}"


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package is not installed
        return False


def _mistake(document: Document, loc: tuple[str | int, ...], kind: str, message: str) -> Mistake:
    if kind == "extra_forbidden":
        around = dotted(loc[:-1]) or "the file"
        return Mistake(document.line_of(loc), dotted(loc), f"is not a key of {around}")
    if kind in ("model_type", "dict_type"):
        message = "must be a mapping of keys to values"
    # Pydantic adds a separate step for a mistake in a key of a mapping.
    path = loc[:-1] if loc and loc[-1] == "[key]" else loc
    text = message.removeprefix("Value error, ")
    return Mistake(document.line_of(path), dotted(path), text[:1].lower() + text[1:])


def _line(name: str, mistake: Mistake, overridden: Mapping[str, str]) -> str:
    key = f" {mistake.key}:" if mistake.key else ""
    variable = overridden.get(mistake.key)
    came_from = f" (the value comes from the environment variable {variable})" if variable else ""
    return f"{name}:{mistake.line}:{key} {mistake.what}{came_from}"


def _apply_overrides(document: Document, environ: Mapping[str, str]) -> dict[str, str]:
    """Apply `settings.env_overrides`. Return the used variables by dotted path."""
    settings = document.data.get("settings") if isinstance(document.data, dict) else None
    overrides = settings.get("env_overrides") if isinstance(settings, dict) else None
    used: dict[str, str] = {}
    for variable, target in overrides.items() if isinstance(overrides, dict) else ():
        here = ("settings", "env_overrides", variable)
        if not isinstance(target, str):
            continue
        parent, last = _place_of(document.data, target)
        if parent is None:
            document.mistakes.append(
                Mistake(document.line_of(here), dotted(here), f"'{target}' is not a value of this file")
            )
        elif environ.get(variable):
            parent[last] = _scalar(environ[variable])
            used[target] = variable
    return used


def _place_of(data: object, target: str) -> tuple[dict[str, object] | None, str]:
    """Return the mapping that contains the value at a dotted path, created if missing, and the last step."""
    *way, last = target.split(".")
    if not way or way[0] not in LLMConfig.model_fields or target.startswith("settings.env_overrides"):
        return None, last
    for step in way:
        if not isinstance(data, dict):
            return None, last
        data = data.setdefault(step, {})
    return (data, last) if isinstance(data, dict) else (None, last)


def _scalar(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
