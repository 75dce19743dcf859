"""What the `image-assets` command does, one module a command; `cli` holds the arguments.

`services` readies what most commands work on, `messages` prints lines for people and turns mistakes into one message.
`dev` and `run` are `running`, with `outliving` (database or store gone for a while) and `until_idle`. Pure text:
`status`, `placeholder_lines`, `progress_lines`. The commands `corpus …` are in `image_assets.corpus`.

Does not belong here: the pipeline's work, which goes through Dagster's daemon, sensors and jobs.
"""
