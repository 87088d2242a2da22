"""Tests of what is attributed beside what comes now."""
