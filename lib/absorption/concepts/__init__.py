"""Hierarchies other than spelling: words with labels, what is asked of them, and absorption of the labels' latents."""
