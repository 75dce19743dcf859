"""The compiled loops of the aligned rule, in the order in which a pair goes through them.

`pairs` leads through `candidates`, `refinement` and `agreement`, which looks at `details`; `equality` is for pictures
without any, and `warps` is what all of them stand on. Everything is computed in a fixed order and without fused or
reordered arithmetic, so it comes out the same in any thread and on any machine of one kind.

Does not belong here: numpy around the loops (`alignment`), and what is called the same picture (`similarity`).

Imports Numba (0.5 s), so import these modules only where pictures are compared.
"""
