"""Bringing the platform to AWS: the package, the stages' settings, and the steps in their order."""
