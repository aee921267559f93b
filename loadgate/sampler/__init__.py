"""The sampler of the target: a child process that measures the resources of the target once a second."""
