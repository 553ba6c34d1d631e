"""Networks, linear operators and losses, and what decides the last bits of their products."""
