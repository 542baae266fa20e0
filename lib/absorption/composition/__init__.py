"""What decoder rows are composed of: SAEs of an SAE's decoder (meta-SAEs, arXiv 2502.04878), and what they find."""
