"""Chapter 14, meta-SAEs: SAEs of an SAE's decoder rows, and whether they take absorbing latents apart."""

from absorption.chapters.meta_saes.ablated import remove_parts
from absorption.chapters.meta_saes.basis import load, prepare
from absorption.chapters.meta_saes.letters import look_for_letters
from absorption.chapters.meta_saes.listed import list_latents
from absorption.chapters.meta_saes.matched import match_smaller
from absorption.chapters.meta_saes.rates import replace_absorbing
from absorption.chapters.meta_saes.trained import train
