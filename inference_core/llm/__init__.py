"""LLM endpoints: questions and conversations, with providers if there is a key, or else with the simulator."""
