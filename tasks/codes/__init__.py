"""The Lipschitz code and its decoders."""
