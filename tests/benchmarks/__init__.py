"""Benchmarks for asv, which watches how speed changes from one commit to the next."""
