"""What we know of each partner besides its catalogue: `partners.yaml`.

`settings` are the values with their defaults, `partners_file` reads the file, `checked_values` says what one value may
be. Does not belong here: catalogues, or obeying the settings.
"""

from resources.partners.partners_file import PartnersFileError, load_partners
from resources.partners.settings import (
    DEFAULT_USER_AGENT,
    PRODUCT,
    HeaderFromEnvironment,
    PartnerHeaderError,
    Partners,
    PartnerSettings,
    resolve_headers,
)

__all__ = [
    "DEFAULT_USER_AGENT",
    "PRODUCT",
    "HeaderFromEnvironment",
    "PartnerHeaderError",
    "PartnerSettings",
    "Partners",
    "PartnersFileError",
    "load_partners",
    "resolve_headers",
]
