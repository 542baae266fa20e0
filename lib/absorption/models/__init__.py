"""Language models: the embedded one, any Hugging Face id, or a local folder, behind one small class."""

from absorption.hooks import Site, resolve_site
from absorption.models.embedded import EMBEDDED
from absorption.models.language_model import LanguageModel, load_model, wrap_model

__all__ = ["EMBEDDED", "LanguageModel", "Site", "load_model", "resolve_site", "wrap_model"]
