"""One module a notebook: its settings, its tables, its claims."""

from absorption.chapters.case import name_latents, tell_case
from absorption.chapters.filters import filter_example
from absorption.chapters.one_prompt import letter_words, prompt_activations
