"""Jobs of a batch system that run a sweep by themselves: their scripts, and what became of them."""
