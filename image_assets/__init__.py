"""The pipeline: one room per stage, in the order of the data. `definitions.build_defs` wires it together.

Rooms: `catalogue_diffs`, `raw_images`, `fingerprints`, `hotel_groups`, `image_groups`, `priorities`, `renditions`,
`image_release`. `dedup_quality` proves the policy of `image_groups`; `given_files` reads what users hand in.

What all rooms share: `methods` (what results depend on) and `chosen_methods` (as the users' files say), `partitions`,
`shards` and `partition_keys`, `stage_run` (what every asset does around its work), `ui_metadata` (what it shows),
`outages`, `certification`.
What looks at pixels: `shown_pixels`, `pillow_limits`, `decoder_memory`; `compiling` is for loops over them.

What makes it run: `pending_work` says what is missing, `jobs` which assets run together; `cli` is the `image-assets`
command, with `commands` and `corpus` behind it; `supervision` keeps Dagster's processes.
"""
