"""Chapter 17, remedies on a language model: each beside its baseline over training seeds, and what it costs."""

from absorption.chapters.remedies_compared.again import load, measure_again
from absorption.chapters.remedies_compared.beside_published import set_beside_published
from absorption.chapters.remedies_compared.beside_toys import set_beside_toys
from absorption.chapters.remedies_compared.by_l0 import project_by_l0
from absorption.chapters.remedies_compared.compared import compare_arms
from absorption.chapters.remedies_compared.costs import count_costs
from absorption.chapters.remedies_compared.numbers import read_numbers
