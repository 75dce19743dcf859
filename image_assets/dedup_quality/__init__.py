"""The guarantee: how well a policy tells the same picture from another, measured on labelled pairs.

`corpus` holds the labels and their halves; `making` makes pairs, by the kinds of `drawn_edits`, which stand on `edits`;
`evaluation` counts what a policy finds and confuses, with exact `bounds`; `tuning` proposes a threshold; `report` shows
it all on a page, with `charts`. What a certificate says, and whether it is good enough to group by, is in
`image_groups.certificate`, where the gate is. Does not belong here: the rules themselves (`image_groups`), and reading
or writing the corpus (`image_assets.corpus`).
"""
