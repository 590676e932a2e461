"""Whole programs as a person would write them, timed from start to printed result."""
