"""Writing as text, versions and sources: what the writing tab and every writing engine share. Knows no page, no model file and no queue."""
