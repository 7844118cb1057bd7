"""The test that decides which kinds of text the starter is offered for."""
