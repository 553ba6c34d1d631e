"""How a sweep is planned and run: requests, pilots, blocks, and what workers do."""
