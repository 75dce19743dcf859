"""What the commands `image-assets corpus …` do with ledger, store and files, around the pure `dedup_quality`.

One module a command: `building`, `importing`, `evaluating` (which the asset `dedup_quality` also does), `tuning`.
Does not belong here: arguments and exit codes (`commands`), and every rule about pairs (`dedup_quality`).
"""
