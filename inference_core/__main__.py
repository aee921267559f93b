"""`python -m inference_core`: the same as the `inference-core` command."""

from inference_core.entry import main

if __name__ == "__main__":
    main()
