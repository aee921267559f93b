"""Check references and contradictions between the parts of `llm_config.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from inference_core.llm.config.places import Document, Mistake, Path, dotted
from inference_core.llm.config.policies import effective_policy, forbidden
from inference_core.llm.config.schema import LOOPBACK, LLMConfig, ProviderConfig

Found = tuple[Path, str]


def check_references(document: Document, config: LLMConfig | None) -> list[Mistake]:
    """Return the mistakes between the parts.

    Names are checked even if other parts are invalid; other checks need a `config`.
    """
    found = [*_names(document.data)]
    if config and not found:
        found += [*_providers(config), *_policies(config)]
    return [Mistake(document.line_of(path), dotted(path), what) for path, what in found]


def _part(data: object, *path: str) -> dict[str, object]:
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _unknown(kind: str, name: str, known: dict[str, object]) -> str:
    return f"there is no {kind} '{name}'; known: {', '.join(map(str, known)) or 'none'}"


def _names(data: object) -> Iterator[Found]:
    providers, models = _part(data, "providers"), _part(data, "models")
    for model, values in models.items():
        provider = values.get("provider") if isinstance(values, dict) else None
        if isinstance(provider, str) and provider not in providers:
            yield ("models", model, "provider"), _unknown("provider", provider, providers)
    for task, values in _part(data, "tasks").items():
        yield from _task_names(task, values if isinstance(values, dict) else {}, models)
    for name in _part(data, "param_policies", "providers"):
        if name not in providers:
            yield ("param_policies", "providers", name), _unknown("provider", name, providers)
    for name in _part(data, "param_policies", "models"):
        if name not in models:
            yield ("param_policies", "models", name), _unknown("model", name, models)


def _task_names(task: str, values: dict[str, object], models: dict[str, object]) -> Iterator[Found]:
    primary = values.get("primary")
    if isinstance(primary, str) and primary not in models:
        yield ("tasks", task, "primary"), _unknown("model", primary, models)
    for key in ("fallback", "testing"):
        names = values.get(key)
        seen: set[str] = set()
        for index, name in enumerate(names if isinstance(names, list) else []):
            if isinstance(name, str) and name not in models:
                yield ("tasks", task, key, index), _unknown("model", name, models)
            elif isinstance(name, str) and name in seen:
                yield ("tasks", task, key, index), f"'{name}' is already in the list"
            seen.add(str(name))
        if key == "fallback" and names and primary is None:
            yield ("tasks", task, key), "is given without a primary model"


def _providers(config: LLMConfig) -> Iterator[Found]:
    for name, provider in config.providers.items():
        for key, what in _provider(name, provider):
            yield ("providers", name, *((key,) if key else ())), what


def _provider(name: str, provider: ProviderConfig) -> Iterator[tuple[str, str]]:
    kind = provider.kind_for(name)
    if kind is None:
        yield "", "does not state its API; add openai_compatible: true, or kind: anthropic or gemini"
    elif provider.openai_compatible and kind != "openai_compatible":
        yield "kind", f"'{kind}' contradicts openai_compatible: true"
    elif kind == "openai_compatible" and not provider.base_url:
        yield "", "needs a base_url, such as https://api.openai.com/v1"
    elif kind in ("anthropic", "gemini") and not provider.api_key_env:
        yield "", "needs api_key_env, the name of the environment variable that holds its key"
    if provider.simulator and (kind != "openai_compatible" or _host(provider) not in LOOPBACK):
        yield "simulator", "is for an openai_compatible base_url on this machine, such as http://127.0.0.1:8200/v1"
    if provider.simulator and provider.api_key_env:
        yield "api_key_env", "must not be given for the simulator, which needs no key"


def _host(provider: ProviderConfig) -> str | None:
    return urlsplit(provider.base_url or "").hostname


def _policies(config: LLMConfig) -> Iterator[Found]:
    for kind, policies in (("providers", config.param_policies.providers), ("models", config.param_policies.models)):
        for name, policy in policies.items():
            named = [*(policy.allow or []), *policy.rename, *policy.drop, *policy.forbid]
            for parameter in sorted({parameter for parameter in named if named.count(parameter) > 1}):
                yield ("param_policies", kind, name), f"has more than one rule for {parameter}"
    for name, model in config.models.items():
        rules = effective_policy(config, model.provider, name)
        for default in forbidden(rules, model.defaults.params()):
            yield ("models", name, "defaults", default), "is forbidden by the parameter policy of the model"
        room = model.max_output_tokens
        if room and model.defaults.max_tokens and model.defaults.max_tokens > room:
            yield ("models", name, "defaults", "max_tokens"), f"is more than the model's max_output_tokens, {room}"
