"""Image release: the published galleries of one data release.

Belongs here: the manifest, its summary, the gallery page, and pointing to the current release. Does not belong here:
choosing pictures (image_groups, priorities) and making them (renditions).
"""
