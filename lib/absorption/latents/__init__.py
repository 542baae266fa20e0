"""Latents as first-letter classifiers: which latent stands for a letter, how good it is, what it misses."""

from absorption.latents.contexts import favoured_tokens, strongest_contexts, text_activations
from absorption.latents.cosines import all_cosines, cosines_by_letter, decoder_cosines
from absorption.latents.describe import describe_main, split_contrast
from absorption.latents.main import K_SPARSE, count_table, reference_steps, split_counts, split_letters
from absorption.latents.score import probe_samples, slope_per_doubling
from absorption.latents.select import SINGLE_LATENT_SELECTIONS
from absorption.latents.sparse import ACTIVE, encode_words
from absorption.latents.words import missed_words, top_words
