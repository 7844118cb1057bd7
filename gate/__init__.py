"""What `make check` asks beside ruff and basedpyright."""
