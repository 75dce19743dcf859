"""The pipeline: one room per stage, in the order of the data. `definitions.build_defs` wires it together."""
