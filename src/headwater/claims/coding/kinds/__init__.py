"""The kinds of things that have codes, one a file; importing this package registers them all."""

from headwater.claims.coding.kinds.consumable import CONSUMABLE
from headwater.claims.coding.kinds.diagnosis import DIAGNOSIS
from headwater.claims.coding.kinds.drug import DRUG
from headwater.claims.coding.kinds.kind import Attribute, Kind, Parsed
from headwater.claims.coding.kinds.operation import OPERATION
from headwater.claims.coding.kinds.service import SERVICE
from headwater.registry import Registry

__all__ = ["KINDS", "Attribute", "Kind", "Parsed"]

KINDS: Registry[Kind] = Registry("kind of coded things")
"""Every kind by its name."""

for _kind in (DRUG, CONSUMABLE, SERVICE, DIAGNOSIS, OPERATION):
    KINDS.register(_kind.name)(_kind)
