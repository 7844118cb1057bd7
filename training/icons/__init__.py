"""Builds the icon library and the text features of the picture starter, and holds the prompts it is judged by."""
