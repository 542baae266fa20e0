"""Stitching: latents of one SAE inserted into another of the same hook, and SAEs made of two (arXiv 2502.04878)."""
