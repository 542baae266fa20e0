"""Sparse autoencoders: any SAELens release, a shipped one, or a folder, checked against the model."""
