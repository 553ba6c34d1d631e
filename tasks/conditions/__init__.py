"""The deterministic conditions of the theory: their forms, and the search for violations."""
