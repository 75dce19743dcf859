"""The outside world: object store, ledger, image fetcher, partners' settings. Never imports the pipeline."""
