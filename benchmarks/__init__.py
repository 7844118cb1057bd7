"""One script a claim: each measures the studio beside a named peer in one run and prints the ratio."""
