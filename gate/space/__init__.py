"""The studio as a Space of the Hub: `make space` writes the folder, checks it, and prints the one command that uploads it.

    contents.py  which files go in, and what its README, requirements and .gitattributes say
    checks.py    what is wrong with such a folder, in sentences
    __main__.py  the command

`README.md` and `gitattributes` beside them become the Space's own.
"""
