"""The LLM feature: questions and conversations, answered by providers or by the simulator."""
