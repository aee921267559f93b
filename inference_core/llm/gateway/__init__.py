"""The call of a model: the selection of providers, circuit breakers, time limits and fallbacks."""
