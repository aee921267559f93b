"""Whoever generates text, behind `inference_core.llm.types.Provider`."""
