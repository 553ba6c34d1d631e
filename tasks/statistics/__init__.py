"""Fits of labelled results: transitions, power laws, comparisons, and their intervals."""
