"""The providers, which implement `inference_core.llm.types.Provider`."""
