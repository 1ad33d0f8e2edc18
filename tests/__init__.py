"""Tests mirror qkd/ and apps/; ``@requirement("C1", "I4")`` says what a test shows."""

import pytest

requirement = pytest.mark.requirement
