"""Packages fuzzed: ``python -m tests.fuzz [seconds]`` with atheris, and by hypothesis in tests/files/test_fuzz.py."""
