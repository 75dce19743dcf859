"""How files that users give (catalogues, data releases) are read: gzip, text, CSV, and what is refused.

`reading` turns bytes into blocks of lines, `csv_records` lines into rows, `fields` judges single values. Nothing
here knows what the columns of a catalogue or a data release mean: see `catalogue_diffs` and `hotel_groups`.
"""

from image_assets.given_files.csv_records import CsvRow, csv_records
from image_assets.given_files.fields import RejectedRow, id_reason, shortened, unstorable
from image_assets.given_files.reading import UnreadableFile, line_blocks, too_long, unpacked

__all__ = [
    "CsvRow",
    "RejectedRow",
    "UnreadableFile",
    "csv_records",
    "id_reason",
    "line_blocks",
    "shortened",
    "too_long",
    "unpacked",
    "unstorable",
]
