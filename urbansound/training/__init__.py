"""How a model is fitted: stages, callbacks, embeddings of frozen bodies."""
