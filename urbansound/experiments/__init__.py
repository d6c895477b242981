"""Several runs that answer one question: cross-validation, search, ensembles."""
