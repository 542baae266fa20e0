"""Chapter 5, absorption: one word in full, rates under every definition, and what they rest on."""

from absorption.chapters.absorption.baselines import other_baseline
from absorption.chapters.absorption.basis import prepare_basis, study
from absorption.chapters.absorption.case import named_absorbed, tell_case
from absorption.chapters.absorption.contexts import look_in_text
from absorption.chapters.absorption.control import take_the_letter_out
from absorption.chapters.absorption.count import count
from absorption.chapters.absorption.degrees import count_degrees
from absorption.chapters.absorption.disputes import compare_definitions
from absorption.chapters.absorption.every_sae import apply_to_every_sae
from absorption.chapters.absorption.evidence_kept import keep_evidence
from absorption.chapters.absorption.filters import filter_example
from absorption.chapters.absorption.one_prompt import two_latents
from absorption.chapters.absorption.probes import apply_under_every_probe
from absorption.chapters.absorption.roles import role_latents
from absorption.chapters.absorption.selections import apply_under_every_selection
from absorption.chapters.absorption.silence import apply_under_every_silence
from absorption.chapters.absorption.thresholds import THRESHOLD_TITLES, move_thresholds
from absorption.chapters.loading import load_with_companions
from absorption.explorer.address import of_letters, of_words
