"""Proof that nothing leaks: audits of splits and of fits, and near-duplicate images."""

from .duplicates import find_duplicates, fingerprint_images
from .embedding_pairs import find_duplicate_embeddings
from .fits import FitAudit, audit_fit
from .splits import SplitAudit, audit_splits

__all__ = [
    "FitAudit",
    "SplitAudit",
    "audit_fit",
    "audit_splits",
    "find_duplicate_embeddings",
    "find_duplicates",
    "fingerprint_images",
]
