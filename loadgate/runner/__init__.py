"""The parent process of `loadgate run`: one run from its start to its artefacts."""
