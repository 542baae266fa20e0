"""Toy models of absorption: planted features, SAEs trained on them, and what theory says they must learn."""
