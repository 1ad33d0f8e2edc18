"""Packages fuzzed: ``python -m tests.fuzz [seconds]`` with atheris, and by hypothesis in tests/qkdseal/test_fuzz.py."""
