"""The demo: four partners on a local HTTP server, two weeks of catalogues, and the pipeline as a user runs it.

Nothing here is part of the pipeline: it writes files, starts the `image-assets` command, and reads what came of it.
"""
