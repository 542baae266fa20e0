"""Language models: the embedded one, any Hugging Face id, or a local folder, behind one small class."""
