"""One file a model family: the only code that knows torch and its kin. Names that begin with an underscore belong to a sibling."""
