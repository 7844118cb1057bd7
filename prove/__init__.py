"""What is claimed of a studio among strangers, measured: `make prove` prints one table of it.

Reading order: `table` (a row and its bar), `load` (many users at once), `leaving` (runs that nobody waits for), `killing` (a server that
is killed while it works), `suites` (tests that are too long for CI), `__main__` (all of them). Each measures a real studio, served in a
process of its own with its starters, offline. They know no page and no engine.
"""
