"""Tests of what the checks are made with."""
