"""Tests of deploy/ and infra/."""
