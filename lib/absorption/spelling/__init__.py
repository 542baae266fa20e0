"""The task: words, spelling prompts, the model's answers, and activations at the word's token."""
