"""Benchmarks, each with the least that any program must do for the same work beside it."""
