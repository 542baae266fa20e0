"""Proposed remedies against absorption on a language model: what is compared, how it is measured and kept."""
