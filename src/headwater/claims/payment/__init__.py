"""Payment as dated policy: policies are loaded, stays priced, and every payment explained to the fen."""

from headwater.claims.payment.checking import check_policy, load_policy
from headwater.claims.payment.policy import Policy
from headwater.claims.payment.pricing import Explained, Priced, explain, price

__all__ = ["Explained", "Policy", "Priced", "check_policy", "explain", "load_policy", "price"]
