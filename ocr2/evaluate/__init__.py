"""Benchmarks as data: what is asked, what was answered, and how near that is to the truth."""
