"""How the composing model came about: reading the scores, splitting them, training, judging. Nothing here runs in the studio."""
